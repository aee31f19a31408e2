package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
)

// ErrCatalogNotWritten says that the producer's catalog in the bucket could not be renewed.
var ErrCatalogNotWritten = errors.New("the catalog was not written")

// maxCatalogTries is how often a catalog is made anew because another worker has written one meanwhile.
const maxCatalogTries = 8

// ownCatalog is the catalog that the producer has written last.
type ownCatalog struct {
	catalog.Catalog
	etag string // of what is in the bucket; empty if there is nothing
	// unusable is why what is in the bucket is as if it were not there; nil if it is this producer's.
	unusable error
}

// keepsCatalog tells whether the producer writes a catalog: without a signing key it would prove nothing, and the predecessor's
// consumer does not know it.
func (p *Producer) keepsCatalog() bool { return p.Signer.Signs() && !p.WritePredecessor }

// readCatalog reads the last catalog. What this producer has not signed, or not with the key that it has now, is unusable, and
// a new one takes its place.
func (p *Producer) readCatalog(ctx context.Context) (last ownCatalog, err error) {
	object := p.Bucket.OpenStart(ctx, catalog.Key, catalog.MaxSize+1)
	defer object.Close() //nolint:errcheck // it was only read
	content, err := io.ReadAll(io.LimitReader(object, catalog.MaxSize+1))
	last.etag = object.ETag()
	switch {
	case errors.Is(err, bucket.ErrNotFound):
		return last, nil
	case err != nil:
		return last, err
	case last.etag == "": // of an empty object
		info, err := p.Bucket.Stat(ctx, catalog.Key)
		if err != nil {
			return last, err
		}
		last.etag = info.ETag
	}
	last.Catalog, last.unusable = p.openCatalog(content)
	return last, nil
}

func (p *Producer) openCatalog(content []byte) (c catalog.Catalog, err error) {
	if len(content) > catalog.MaxSize {
		return c, fmt.Errorf("%w: more than %d bytes", archive.ErrMalformed, catalog.MaxSize)
	}
	key, err := p.selfKey()
	if err != nil {
		return c, err
	}
	c, err = catalog.Read(bytes.NewReader(content), []age.Identity{key}, p.Signer.Verifier(), archive.AnyEnvironment())
	if err == nil && c.Environment != p.Environment {
		return catalog.Catalog{}, fmt.Errorf("%w: %q, this is %q", archive.ErrEnvironment, c.Environment, p.Environment)
	}
	return c, err
}

// writeCatalog writes the catalog that follows the last one. If another worker has written one since, change is applied to that.
// Nothing is written as long as nothing has changed but the times at which sources were seen, and CATALOG_INTERVAL has not
// passed.
func (p *Producer) writeCatalog(ctx context.Context, last ownCatalog, change func(*catalogDraft)) (err error) {
	for range maxCatalogTries {
		draft := newDraft(last.Catalog)
		change(draft)
		if last.isCurrent(draft, p.Clock(), p.CatalogInterval) {
			return nil
		}
		if err = p.putCatalog(ctx, last, draft.finish()); !errors.Is(err, bucket.ErrChanged) {
			break
		}
		if last, err = p.readCatalog(ctx); err != nil {
			break
		}
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", ErrCatalogNotWritten, err)
	}
	return err
}

func (c ownCatalog) isCurrent(next *catalogDraft, now time.Time, interval time.Duration) bool {
	age := now.Sub(c.CreatedAt)
	return c.etag != "" && c.unusable == nil && !next.changed && age >= 0 && age < interval
}

func (p *Producer) putCatalog(ctx context.Context, last ownCatalog, next catalog.Catalog) error {
	key, err := p.selfKey()
	if err != nil {
		return err
	}
	next.Sequence, next.CreatedAt = catalog.Next(last.Catalog, p.Clock())
	next.Environment, next.CreatedBy = p.Environment, p.Version
	var content bytes.Buffer
	if err := catalog.Write(&content, next, key.AddTo(p.Recipients), p.Signer); err != nil {
		return err
	}
	_, err = p.Bucket.Put(ctx, catalog.Key, content.Bytes(), last.etag)
	return err
}

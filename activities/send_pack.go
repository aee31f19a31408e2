package activities

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/app-sre/git-partition-sync/internal/bundle"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

var (
	// ErrBundleDiffers says that a bundle does not contain what its manifest says.
	ErrBundleDiffers = errors.New("bundle and manifest disagree")
	// ErrAltered says that a staged file has changed since it was verified.
	ErrAltered = errors.New("staged file was altered after it was verified")
)

// send pushes one bundle's pack, straight from disk. It holds the end back until all of the bundle is known to be what
// Decrypt verified. A server accepts no pack without its end.
func (p *push) send(ctx context.Context, i int, updates ...smarthttp.RefUpdate) error {
	b := p.Bundles[i]
	content, err := openBundle(p.run, i, b, p.identities)
	if err != nil {
		return err
	}
	defer content.Close() //nolint:errcheck // it was only read
	verified := &verifiedReader{r: content, left: b.Size, sum: sha256.New(), want: b.SHA256}
	pack := bufio.NewReader(verified)
	headerSize, err := p.readHeader(pack, i)
	if err != nil {
		_, _ = io.Copy(io.Discard, verified) // to tell whether the bundle was altered here
		return cmp.Or(verified.err, err)
	}
	err = p.pushRefs(ctx, smarthttp.PushRequest{
		Updates:  updates,
		Atomic:   updates[0].Ref != p.branch.Ref(), // the branch will have to follow
		Pack:     p.meter.read(pack),
		PackSize: b.Size - headerSize,
		Thin:     b.Thin,
	})
	if err != nil && verified.err != nil {
		return verified.err // it ended the push, whatever the transport made of it
	}
	return p.classify(ctx, b, err)
}

// readHeader reads the header of a bundle, and returns its size. It refuses one that is not the manifest's.
func (p *push) readHeader(r *bufio.Reader, i int) (size int64, err error) {
	b := p.Bundles[i]
	want := object.ID{Destination: p.branch, Commit: b.Commit, Base: b.Base}
	if p.set != nil {
		refs, err := stagedRefs(p.run, i, b)
		if err == nil && b.ID != want {
			err = fmt.Errorf("%w: %+v instead of %+v", ErrBundleDiffers, b.ID, want)
		}
		if err != nil {
			return 0, err
		}
		return bundle.ReadSetHeader(r, p.branch, refs)
	}
	id, size, err := bundle.ReadHeader(r, p.branch)
	if p.branch.IsTag() {
		want.Base = "" // the header of a tag's bundle does not say
	}
	if err == nil && id != want {
		err = fmt.Errorf("%w: %+v instead of %+v", ErrBundleDiffers, id, want)
	}
	return size, err
}

// heldBackSize is how many bytes at the end of a bundle are held back until all of it is verified: the checksum that
// ends a pack.
const heldBackSize = 20

// verifiedReader reads a bundle of known size and SHA-256.
type verifiedReader struct {
	r    io.Reader
	left int64 // bytes that have not been read from r
	sum  hash.Hash
	want string
	tail []byte // the last bytes, verified
	err  error
}

func (v *verifiedReader) Read(b []byte) (int, error) {
	if v.err == nil && v.left > 0 && v.left <= heldBackSize {
		v.tail, v.err = v.finish()
	}
	switch {
	case v.err != nil:
		return 0, v.err
	case v.left == 0:
		n := copy(b, v.tail)
		v.tail = v.tail[n:]
		if n == 0 && len(b) > 0 {
			return 0, io.EOF
		}
		return n, nil
	}
	n, err := v.r.Read(b[:min(int64(len(b)), v.left-heldBackSize)])
	v.left -= int64(n)
	v.sum.Write(b[:n])
	if err == io.EOF {
		err = fmt.Errorf("%w: it ends %d bytes early", ErrAltered, v.left)
	}
	v.err = err
	return n, err
}

func (v *verifiedReader) finish() ([]byte, error) {
	tail := make([]byte, v.left)
	if _, err := io.ReadFull(v.r, tail); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAltered, err)
	}
	v.left = 0
	v.sum.Write(tail)
	if got := hex.EncodeToString(v.sum.Sum(nil)); got != v.want {
		return nil, fmt.Errorf("%w: its SHA-256 is %s, the manifest says %s", ErrAltered, got, v.want)
	}
	return tail, nil
}

package activities

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// manifest opens an object, and returns what its manifest says and the manifest's hash.
func (r *rig) manifest(key string) (archive.Manifest, string) {
	r.Helper()
	plaintext, err := crypt.Decrypt(bytes.NewReader(r.content(key)), r.consumer.Identities)
	require.NoError(r, err)
	opened, err := archive.NewReader(plaintext)
	require.NoError(r, err)
	sum := sha256.Sum256(opened.ManifestBytes)
	return opened.Manifest, hex.EncodeToString(sum[:])
}

// named is what a catalog says of an object that is in the bucket.
func (r *rig) named(o object.Stored) *catalog.Object {
	r.Helper()
	m, hash := r.manifest(o.Key)
	return &catalog.Object{Commit: o.Commit, Base: o.Base, Size: o.Size, Modified: o.Modified, MadeAt: m.CreatedAt, ManifestSHA256: hash}
}

// catalog is what a producer says whose bucket is as it is now, and whose syncs are those of the objects there.
func (r *rig) catalog() catalog.Catalog {
	r.Helper()
	now := r.producer.Clock()
	c := catalog.Catalog{Environment: r.producer.Environment, IntervalSeconds: 60, CreatedBy: "test"}
	c.Sequence, c.CreatedAt = catalog.Next(catalog.Catalog{}, now)
	for b, chain := range r.chains() {
		c.Syncs = append(c.Syncs, catalog.Sync{Destination: b, State: chain.Tip(), SeenAt: now, MovedAt: now.Add(-time.Hour), Object: r.named(chain.Newest())})
	}
	return c
}

// encoded is the object of a catalog.
func (r *rig) encoded(c catalog.Catalog) []byte {
	r.Helper()
	var body bytes.Buffer
	require.NoError(r, catalog.Write(&body, c, r.producer.Recipients, r.producer.Signer))
	return body.Bytes()
}

func (r *rig) putCatalog(c catalog.Catalog) {
	r.Helper()
	r.put(catalog.Key, r.encoded(c))
}

// withoutCatalog takes the catalog out of the bucket, for what holds without one, too.
func (r *rig) withoutCatalog() {
	r.Helper()
	require.NoError(r, r.producer.Bucket.Delete(r.Context(), catalog.Key))
}

// plans runs the consumer's plan, which must succeed.
func (r *rig) plans(request PlanRequest) plan.Page[plan.Push] {
	r.Helper()
	return must(r, r.consumer.PlanPushes, request)
}

// newest is the newest object of a destination.
func (r *rig) newest(b project.Branch) object.Stored {
	r.Helper()
	return r.chains()[b].Newest()
}

// kindsOf are the kinds of a page's failures.
func kindsOf[M any](page plan.Page[M]) (kinds []string) {
	for _, f := range page.Failed {
		kinds = append(kinds, f.Kind)
	}
	return kinds
}

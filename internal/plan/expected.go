package plan

import (
	"time"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
)

// Expected is the least that the newest object of a destination has to be, according to the producer's catalog. The zero
// value expects nothing: there is no catalog, or it names no object yet.
//
// The catalog is read before the bucket is listed, and a producer names an object only when its upload is over. So what is
// found later is that object, or a later one.
type Expected struct {
	// Modified is when the object was uploaded that the catalog names, by the bucket's clock.
	Modified time.Time `json:"modified,omitzero"`
	// MadeAt is when its manifest was made.
	MadeAt time.Time `json:"made_at,omitzero"`
	// ManifestSHA256 is the hash of that manifest in lower-case hexadecimal; empty if the producer does not know it.
	ManifestSHA256 string `json:"manifest_sha256,omitempty"`
}

// expectedOf is what a catalog's entry expects.
func expectedOf(s catalog.Sync) Expected {
	if s.Object == nil {
		// The first upload may be over before the catalog that names it is written.
		return Expected{}
	}
	e := Expected{Modified: s.Object.Modified, MadeAt: s.Object.MadeAt, ManifestSHA256: s.Object.ManifestSHA256}
	if IsOfFuture(e.MadeAt, e.Modified) {
		e.MadeAt = time.Time{} // a wrong clock has made that: its producer does not follow it either
	}
	return e
}

// Withheld tells by the listing alone that the newest object is kept back: what there is was uploaded in an earlier second
// than the object that the catalog names, or there is nothing.
//
// One of the same second or a later one is no sign of that, under whatever key: the producer may have uploaded it after it
// wrote the catalog, also again under the same key, and deleted what it replaces. So may somebody have who puts an old one
// back: Accepts tells these apart.
func (e Expected) Withheld(c chain.Chain) bool {
	switch {
	case e.Modified.IsZero():
		return false
	case len(c.Objects) == 0: // what the predecessor has made, nobody has signed
		return true
	}
	return c.Objects[len(c.Objects)-1].Modified.Truncate(time.Second).Before(e.Modified.Truncate(time.Second))
}

// Accepts tells by the manifest of the newest object, which is signed, whether that is an object to go on with:
//
//   - the one that the catalog names, whenever it was uploaded: a bucket that was copied has all objects at new times;
//   - or one that was made later, which the producer has uploaded since it wrote the catalog. Times of one destination's
//     manifests only grow, whatever the clocks of several producers show.
//
// Where the producer does not know the manifest of the object that it names, because it was uploaded by an earlier version,
// one that was made at the same time is taken for that object.
func (e Expected) Accepts(manifestSHA256 string, madeAt time.Time) bool {
	if e.ManifestSHA256 == "" {
		return !madeAt.Before(e.MadeAt)
	}
	return manifestSHA256 == e.ManifestSHA256 || madeAt.After(e.MadeAt)
}

// ExpectedAt is what one of the push's objects has to be. The list ends with the newest, and only of that anything is
// expected.
func (p Push) ExpectedAt(objects []object.Stored, i int) Expected {
	if i < len(objects)-1 {
		return Expected{}
	}
	return p.Expected
}

// Package catalog is about the one object in the bucket in which the producer says, signed and as of when, what the
// bucket has to hold. So the consumer can tell that nothing has changed from that it does not get what there is. The
// producer reads it back, to know what it has uploaded.
//
// The object is an age file to the recipients of all objects and to the producer itself. In it is a plain tar of exactly
//
//	catalog.json.gz           the catalog
//	catalog.json.gz.minisig   signature over the bytes before it, as of a catalog
//
// in this order. The signature is verified before anything is decompressed.
package catalog

import (
	"cmp"
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// Key is where the catalog is in the bucket. It is no object's key (package object), and no listing of objects has it.
const Key = "catalog.tar.age"

// MaxSyncs bounds how many syncs a catalog has. It is as many as one producer handles.
const MaxSyncs = 50_000

// Catalog is what the producer says.
type Catalog struct {
	FormatVersion int `json:"format_version"` // set by Write
	// Environment is the name of the two sides, as in manifests.
	Environment string `json:"environment,omitempty"`
	// Sequence is greater in each catalog than in all before it: see Next.
	Sequence  int64     `json:"sequence"`
	CreatedAt time.Time `json:"created_at"` // in UTC, by the producer's clock: see Next
	CreatedBy string    `json:"created_by"` // software and its version
	// IntervalSeconds is how often the producer means to write one.
	IntervalSeconds int `json:"interval_seconds"`
	// AdoptedBefore is for the producer itself: when it wrote its first catalog, it took what the bucket then had, and what was
	// uploaded before this time by the bucket's clock, for its own.
	AdoptedBefore time.Time `json:"adopted_before,omitzero"`
	Syncs         []Sync    `json:"syncs"` // sorted by the identities of their destinations, as Compare does
	// Removed is for the producer itself, too: the syncs that were taken away not long ago, as they were, likewise sorted. One that
	// is put back goes on with its object.
	Removed []Sync `json:"removed,omitempty"`
}

// Sync is what a catalog says of one sync. Times that are not known are zero.
type Sync struct {
	Destination project.Branch `json:"destination"`
	// State is the commit, or the state id of a set, that the source was last seen at. It is empty if it never was.
	State   string    `json:"state,omitempty"`
	SeenAt  time.Time `json:"seen_at,omitzero"`  // when the source was last seen
	MovedAt time.Time `json:"moved_at,omitzero"` // when it was first seen at State
	Object  *Object   `json:"object,omitempty"`  // the newest object; nil if there is none
	Failure *Failure  `json:"failure,omitempty"` // nil if the sync does not fail
}

// Object is the newest object of a destination.
type Object struct {
	Commit string `json:"commit_sha"`
	Base   string `json:"base_sha,omitempty"` // empty for a snapshot
	Size   int64  `json:"size"`               // bytes
	// Modified is when it was uploaded, as the bucket says it.
	Modified time.Time `json:"modified"`
	// MadeAt is the created_at of its manifest, and never before one that an earlier catalog gave for this destination.
	MadeAt time.Time `json:"made_at,omitzero"`
	// ManifestSHA256 is the hash of its manifest.json. It is empty when the producer does not know it.
	ManifestSHA256 string `json:"manifest_sha256,omitempty"`
	// LFSObjects is how many LFS objects it needs that are in the bucket, and LFSSize their bytes. They are 0 when the producer
	// does not know it.
	LFSObjects int   `json:"lfs_objects,omitempty"`
	LFSSize    int64 `json:"lfs_size,omitempty"`

	// Chain and Keys are for the producer itself: hashes of what its chain was in the bucket, and of the keys with which it
	// was made. They are SHA-256s in lower-case hexadecimal, as ManifestSHA256 is, and empty when it does not know them.
	Chain string `json:"chain,omitempty"`
	Keys  string `json:"keys,omitempty"`
}

// Failure is why a sync fails at the producer.
type Failure struct {
	Kind  string    `json:"kind"`  // as in docs/errors.md
	Since time.Time `json:"since"` // when it was first seen
}

// ObjectID identifies the newest object; ok is false if there is none.
func (s Sync) ObjectID() (id object.ID, ok bool) {
	if s.Object == nil {
		return object.ID{}, false
	}
	return object.ID{Destination: s.Destination, Commit: s.Object.Commit, Base: s.Object.Base}, true
}

// Sync returns what the catalog says of a destination, in whatever spelling. The syncs must be sorted, as Read returns
// them.
func (c *Catalog) Sync(destination project.Branch) (Sync, bool) {
	i, ok := slices.BinarySearchFunc(c.Syncs, destination, func(s Sync, d project.Branch) int { return Compare(s.Destination, d) })
	if !ok {
		return Sync{}, false
	}
	return c.Syncs[i], true
}

// Compare orders destinations by the bytes of their identities. It is 0 for two spellings of one.
func Compare(a, b project.Branch) int {
	return cmp.Compare(a.Identity().String(), b.Identity().String())
}

// maxLead is how far the previous catalog's time may be ahead of the clock to be followed. Consumers refuse what was made more
// than a day ahead of theirs: a time that only a wrong clock can have said would have all catalogs refused until then.
const maxLead = 23 * time.Hour

// Next returns the sequence and the time of the catalog that follows previous, which is zero if there is none. Neither
// goes back when the clock does by less than maxLead, and the sequence never does. It also grows when the previous catalog
// was lost: it is at least the Unix time in milliseconds.
func Next(previous Catalog, now time.Time) (sequence int64, createdAt time.Time) {
	createdAt = now.UTC()
	if previous.CreatedAt.After(createdAt) && !previous.CreatedAt.After(createdAt.Add(maxLead)) {
		createdAt = previous.CreatedAt
	}
	return max(previous.Sequence+1, createdAt.UnixMilli()), createdAt
}

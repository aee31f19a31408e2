package plan

import (
	"time"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
)

const (
	// maxFollowed bounds the commits of a chain below which an upload looks for others. Ours have a dozen.
	maxFollowed = 64

	// maxAhead is how far ahead of this clock the time of the object before is followed. Consumers refuse what was made
	// more than a day ahead of theirs, which may be behind this one by the hour in between.
	maxAhead = 23 * time.Hour
)

// Follows is what was planned on: what the bucket held for the destination. The zero value is nothing.
type Follows struct {
	Key      string    `json:"key,omitempty"`     // of the newest object
	Modified time.Time `json:"modified,omitzero"` // when that was uploaded
	Commits  []string  `json:"commits,omitempty"` // that the chain carried
}

func follow(c chain.Chain) Follows {
	f := Follows{Key: c.Newest().Key, Modified: c.Newest().Modified}
	for _, o := range c.Objects[max(0, len(c.Objects)-maxFollowed):] {
		f.Commits = append(f.Commits, o.Commit)
	}
	return f
}

// Follows is what the push was planned on.
func (p Push) Follows() Follows {
	f := Follows{Modified: p.Since}
	for _, o := range p.Objects[max(0, len(p.Objects)-maxFollowed):] {
		f.Key = o.Key
		f.Commits = append(f.Commits, o.Commit)
	}
	return f
}

// Later tells whether a time is in a later second than the newest object's: S3 counts in seconds.
func (f Follows) Later(t time.Time) bool {
	return t.Truncate(time.Second).After(f.Modified.Truncate(time.Second))
}

// Created is when an object that is made now says that it was made: later than the object before, whose time is given,
// whatever this clock shows. So the order of a branch's objects never hangs on two clocks that agree. A time far ahead is
// forged, or of a broken clock: it is not followed, as consumers would not follow it either.
func Created(now, before time.Time) (created time.Time, followed bool) {
	if before.Before(now) {
		return now.UTC(), true
	}
	if before.After(now.Add(maxAhead)) {
		return now.UTC(), false
	}
	return before.Add(1).UTC(), true
}

// Overtakes tells whether an object came between the plan and the upload of another one.
func (f Follows) Overtakes(other object.Stored, own string) bool {
	return other.Key != own && f.Later(other.Modified)
}

// Before tells whether an object was uploaded in an earlier second than another one.
func Before(a, b object.Stored) bool {
	return a.Modified.Truncate(time.Second).Before(b.Modified.Truncate(time.Second))
}

// First tells which of two that were uploaded on the same plan comes first; of one second, whose name does.
func First(a, b object.Stored) bool {
	return Before(a, b) || !Before(b, a) && a.Key < b.Key
}

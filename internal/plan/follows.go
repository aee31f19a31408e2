package plan

import (
	"time"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
)

const (
	// maxSeenCommits bounds the commits of a chain below which an upload looks for other uploads. A real chain has about
	// a dozen.
	maxSeenCommits = 64

	// maxFollowedLead is how far ahead of this clock the previous object's creation time may be and still be followed.
	// Consumers refuse what was made more than a day ahead of their clock, which may be an hour behind this one.
	maxFollowedLead = 23 * time.Hour
)

// ChainState is what the bucket held for a destination when something was planned. The zero value is nothing.
type ChainState struct {
	Key      string    `json:"key,omitempty"`     // of the newest object
	Modified time.Time `json:"modified,omitzero"` // when that was uploaded
	Commits  []string  `json:"commits,omitempty"` // that the chain carried
}

func chainState(c chain.Chain) ChainState {
	f := ChainState{Key: c.Newest().Key, Modified: c.Newest().Modified}
	for _, o := range c.Objects[max(0, len(c.Objects)-maxSeenCommits):] {
		f.Commits = append(f.Commits, o.Commit)
	}
	return f
}

// ChainState returns what the bucket held when the push was planned.
func (p Push) ChainState() ChainState {
	f := ChainState{Modified: p.Since}
	for _, o := range p.Objects[max(0, len(p.Objects)-maxSeenCommits):] {
		f.Key = o.Key
		f.Commits = append(f.Commits, o.Commit)
	}
	return f
}

// InLaterSecond tells whether t is in a later second than the newest object's time. S3 counts in whole seconds.
func (f ChainState) InLaterSecond(t time.Time) bool {
	return t.Truncate(time.Second).After(f.Modified.Truncate(time.Second))
}

// NextCreationTime returns the creation time for a new object: now, or just after the previous object's if that is
// not before now. So a branch's objects are in order even if two clocks disagree. A time far ahead is forged, or
// comes from a broken clock. Consumers would refuse it, so it is not followed.
func NextCreationTime(now, before time.Time) (created time.Time, followed bool) {
	if before.Before(now) {
		return now.UTC(), true
	}
	if before.After(now.Add(maxFollowedLead)) {
		return now.UTC(), false
	}
	return before.Add(1).UTC(), true
}

// IsOfFuture tells whether consumers refuse at a time what was made then: more than a day later.
func IsOfFuture(madeAt, at time.Time) bool { return madeAt.After(at.Add(24 * time.Hour)) }

// OvertakenBy tells whether another object was uploaded after this state was seen. The upload's own key does not
// count.
func (f ChainState) OvertakenBy(other object.Stored, own string) bool {
	return other.Key != own && f.InLaterSecond(other.Modified)
}

// UploadedBefore tells whether a was uploaded in an earlier second than b.
func UploadedBefore(a, b object.Stored) bool {
	return a.Modified.Truncate(time.Second).Before(b.Modified.Truncate(time.Second))
}

// Precedes tells which of two objects that were uploaded on the same plan comes first. Within one second their keys
// decide.
func Precedes(a, b object.Stored) bool {
	return UploadedBefore(a, b) || !UploadedBefore(b, a) && a.Key < b.Key
}

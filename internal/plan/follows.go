package plan

import (
	"time"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
)

const (
	// maxSeenCommits bounds the commits of a chain below which an upload looks for others. Ours have a dozen.
	maxSeenCommits = 64

	// maxFollowedLead is how far ahead of this clock the time of the object before is followed. Consumers refuse what was made
	// more than a day ahead of theirs, which may be behind this one by the hour in between.
	maxFollowedLead = 23 * time.Hour
)

// ChainState is what was planned on: what the bucket held for the destination. The zero value is nothing.
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

// ChainState is what the push was planned on.
func (p Push) ChainState() ChainState {
	f := ChainState{Modified: p.Since}
	for _, o := range p.Objects[max(0, len(p.Objects)-maxSeenCommits):] {
		f.Key = o.Key
		f.Commits = append(f.Commits, o.Commit)
	}
	return f
}

// InLaterSecond tells whether a time is in a later second than the newest object's: S3 counts in seconds.
func (f ChainState) InLaterSecond(t time.Time) bool {
	return t.Truncate(time.Second).After(f.Modified.Truncate(time.Second))
}

// NextCreationTime is when an object that is made now says that it was made: later than the object before, whose time is given,
// whatever this clock shows. So the order of a branch's objects never hangs on two clocks that agree. A time far ahead is
// forged, or of a broken clock: it is not followed, as consumers would not follow it either.
func NextCreationTime(now, before time.Time) (created time.Time, followed bool) {
	if before.Before(now) {
		return now.UTC(), true
	}
	if before.After(now.Add(maxFollowedLead)) {
		return now.UTC(), false
	}
	return before.Add(1).UTC(), true
}

// OvertakenBy tells whether an object came between the plan and the upload of another one.
func (f ChainState) OvertakenBy(other object.Stored, own string) bool {
	return other.Key != own && f.InLaterSecond(other.Modified)
}

// UploadedBefore tells whether an object was uploaded in an earlier second than another one.
func UploadedBefore(a, b object.Stored) bool {
	return a.Modified.Truncate(time.Second).Before(b.Modified.Truncate(time.Second))
}

// Precedes tells which of two that were uploaded on the same plan comes first; of one second, whose name does.
func Precedes(a, b object.Stored) bool {
	return UploadedBefore(a, b) || !UploadedBefore(b, a) && a.Key < b.Key
}

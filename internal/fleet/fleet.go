// Package fleet is about all syncs of one side at once: which are in sync, which are not, since when, and why.
package fleet

import "time"

// State is how one sync is, as far as its side knows.
type State string

// States, from good to bad.
const (
	InSync  State = "in_sync"
	Behind  State = "behind"        // and nothing has failed: it moves, or waits for its turn
	Never   State = "never_arrived" // nothing was ever mirrored, and nothing has failed
	Paused  State = "paused"        // an operator has said so
	Failing State = "failing"
)

// Sync is how one sync is. Times that are not known are zero.
type Sync struct {
	Destination string `json:"destination"`
	State       State  `json:"state"`
	// BehindSince is when the source was seen to have moved to what this side does not have yet. With AtLeast, it is only when
	// that was first looked at.
	BehindSince time.Time `json:"behind_since,omitzero"`
	AtLeast     bool      `json:"at_least,omitempty"`
	// LastInSync is when it was last seen in sync.
	LastInSync time.Time `json:"last_in_sync,omitzero"`
	// Source is the commit that the source was last seen at, or the state of a set. Is is the same of what this side has: of
	// the bucket at the producer, of the destination at the consumer.
	Source string `json:"source_commit,omitempty"`
	Is     string `json:"is_commit,omitempty"`
	// Failure is what it fails with now; nil if it does not fail. Producer is the same of the other side, as the producer's
	// catalog says it, at the consumer only.
	Failure  *Failure `json:"failure,omitempty"`
	Producer *Failure `json:"producer_failure,omitempty"`
	Pause    *Pause   `json:"pause,omitempty"`
	// Workflow is the ID of the workflow that moves it, on this side.
	Workflow string `json:"workflow,omitempty"`
}

// Failure is what a sync, or a side as a whole, fails with now.
type Failure struct {
	Kind  string    `json:"kind"` // as in docs/errors.md
	Since time.Time `json:"since,omitzero"`
	// Reason is what happened, in one line, and Remedy what to do; they are empty where they are not known.
	Reason string `json:"reason,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// Pause is an operator's wish that a sync be left alone for a while.
type Pause struct {
	Destination string    `json:"destination"` // group/name@branch
	Reason      string    `json:"reason,omitempty"`
	By          string    `json:"by,omitempty"`
	Until       time.Time `json:"until"`
}

// View is how all syncs of one side are, as of the last complete cycle and of what is known since.
type View struct {
	Role string `json:"role"`
	// ReadAt is when this was put together.
	ReadAt time.Time `json:"read_at"`
	// CycleEnded is when the last complete cycle ended, and CycleTook how long it took; zero if none is known.
	CycleEnded time.Time     `json:"last_cycle_ended,omitzero"`
	CycleTook  time.Duration `json:"last_cycle_nanoseconds,omitzero"`
	// CatalogCreated is when the producer's newest catalog was made; zero without one.
	CatalogCreated time.Time `json:"catalog_created,omitzero"`
	// Scheduled says that cycles run by themselves, or would if they were not paused for SchedulePaused, the operator's note.
	Scheduled      bool   `json:"scheduled"`
	SchedulePaused bool   `json:"schedule_paused,omitempty"`
	ScheduleNote   string `json:"schedule_note,omitempty"`
	// Failures concern the side as a whole: its list of syncs, its catalog, the bucket.
	Failures []SideFailure `json:"failures,omitempty"`
	// Syncs are sorted by their destinations. More counts those by state that are known only as numbers.
	Syncs []Sync        `json:"syncs"`
	More  map[State]int `json:"more,omitempty"`
	// OldestLag is the oldest BehindSince of all that are not paused, with a name or without; zero if nothing lags.
	OldestLag time.Time `json:"oldest_lag,omitzero"`
	// Bucket is what the bucket holds; zero where it is not known.
	Bucket BucketUse `json:"bucket,omitzero"`
}

// SideFailure is a failure that concerns no single sync.
type SideFailure struct {
	Subject string `json:"subject"` // such as "catalog", "bucket", "plan"
	Failure
}

// BucketUse is what a bucket holds, by kind of object.
type BucketUse struct {
	Snapshots  Use `json:"snapshots,omitzero"`
	Increments Use `json:"increments,omitzero"`
	LFS        Use `json:"lfs,omitzero"`   // zero where it was not counted: there may be millions
	Other      Use `json:"other,omitzero"` // keys that no producer writes
	// LongestChain is the largest number of objects that one destination is restored from.
	LongestChain int `json:"longest_chain,omitempty"`
}

// Use is how many objects there are, and their bytes.
type Use struct {
	Objects int   `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// Add counts an object.
func (u *Use) Add(size int64) { u.Objects, u.Bytes = u.Objects+1, u.Bytes+size }

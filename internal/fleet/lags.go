package fleet

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Lag is a sync that a cycle did not leave in sync, as the cycle's report has it. Temporal hands it on to the next cycle.
type Lag struct {
	Destination string `json:"destination"` // or what else has failed: see plan.Failure
	// Since is when the source was seen to have moved; with AtLeast, only when a cycle first looked. It is zero for what fails
	// without being known to be behind.
	Since   time.Time `json:"since,omitzero"`
	AtLeast bool      `json:"at_least,omitempty"`
	// Kind is what it fails with, since Failing; they are empty if it is only behind.
	Kind    string    `json:"kind,omitempty"`
	Failing time.Time `json:"failing_since,omitzero"`
	// Met is when a cycle last found it like that. It is later than Lags.LookedAt where a cycle could not look at all syncs.
	Met time.Time `json:"met,omitzero"`
	// Reported is when a cycle last failed because of that, and Told when people were last told.
	Reported time.Time `json:"reported,omitzero"`
	Told     time.Time `json:"told,omitzero"`
	// Is is the commit or state that this side has, and Wanted what it has to become.
	Is     string `json:"is,omitempty"`
	Wanted string `json:"wanted,omitempty"`
}

// Lags are the syncs that a cycle did not leave in sync. It is bounded: what has no room is only counted.
type Lags struct {
	List        []Lag `json:"list,omitempty"` // sorted by Destination
	MoreBehind  int   `json:"more_behind,omitempty"`
	MoreFailing int   `json:"more_failing,omitempty"`
	// Oldest is the oldest Since of all, listed or not.
	Oldest time.Time `json:"oldest,omitzero"`
	// LookedAt is when the last cycle began that has looked at all syncs: what is not listed was in sync some time after that.
	LookedAt time.Time `json:"looked_at,omitzero"`
	// Recovered are those that fail no more, and of which people could not be told yet. It is bounded, too.
	Recovered []Lag `json:"recovered,omitempty"`
	// Paused are those of syncs that an operator has paused, as they were before: when the pause is over, they go on from there. It
	// is bounded, too.
	Paused []Lag `json:"paused,omitempty"`

	size int // of List as JSON; 0 if it is not known
}

// The bounds of a list of lags, in entries and in bytes of JSON.
const (
	maxLags     = 1000
	maxLagsSize = 192 << 10
	// Recovered and Paused have each
	maxBeside     = 100
	maxBesideSize = 32 << 10
)

func byDestination(l Lag, destination string) int { return strings.Compare(l.Destination, destination) }

// Find returns the lag of a destination, if it is listed.
func (l *Lags) Find(destination string) (Lag, bool) {
	i, ok := slices.BinarySearchFunc(l.List, destination, byDestination)
	if !ok {
		return Lag{}, false
	}
	return l.List[i], true
}

// Add takes in the lag of a destination that has none yet. Where there is no room, one that is only behind gives way to one that
// fails, and what is left over is counted.
func (l *Lags) Add(lag Lag) {
	l.noteOldest(lag)
	for !l.hasRoom(lag) {
		last := -1
		if lag.Kind != "" {
			last = lastIndex(l.List, func(other Lag) bool { return other.Kind == "" })
		}
		if last < 0 {
			l.count(lag, 1)
			return
		}
		l.count(l.List[last], 1)
		l.cut(last)
	}
	i, _ := slices.BinarySearchFunc(l.List, lag.Destination, byDestination)
	l.List = slices.Insert(l.List, i, lag)
	l.size += sizeOf(lag)
}

// Remove takes away a lag that was added, which may have been only counted.
func (l *Lags) Remove(lag Lag) {
	i, ok := slices.BinarySearchFunc(l.List, lag.Destination, byDestination)
	if !ok {
		l.count(lag, -1)
		return
	}
	l.hasRoom(lag) // measures the list
	l.cut(i)
	if l.MoreBehind+l.MoreFailing == 0 { // else the oldest may be one of those
		l.Oldest = time.Time{}
		for _, lag := range l.List {
			l.noteOldest(lag)
		}
	}
}

// Pause keeps a lag while its sync is left alone, in the place of what the cycle before has left. It is none of this cycle.
func (l *Lags) Pause(before *Lags, lag Lag) {
	if was, ok := before.Find(lag.Destination); ok {
		before.Remove(was)
	}
	if hasRoomBeside(l.Paused, lag) {
		l.Paused = append(l.Paused, lag)
	}
}

// Resume puts those back that were paused, for a cycle to find out how they are.
func (l *Lags) Resume() {
	for _, lag := range l.Paused {
		if _, listed := l.Find(lag.Destination); !listed {
			l.Add(lag)
		}
	}
	l.Paused = nil
}

func (l *Lags) hasRoom(lag Lag) bool {
	if l.size == 0 {
		l.size = sizeOfAll(l.List)
	}
	return len(l.List) < maxLags && l.size+sizeOf(lag) <= maxLagsSize
}

func (l *Lags) cut(i int) {
	l.size -= sizeOf(l.List[i])
	l.List = slices.Delete(l.List, i, i+1)
}

func (l *Lags) count(lag Lag, n int) {
	if lag.Kind == "" {
		l.MoreBehind = max(0, l.MoreBehind+n)
	} else {
		l.MoreFailing = max(0, l.MoreFailing+n)
	}
}

func (l *Lags) noteOldest(lag Lag) {
	if !lag.Since.IsZero() && (l.Oldest.IsZero() || lag.Since.Before(l.Oldest)) {
		l.Oldest = lag.Since
	}
}

func lastIndex(lags []Lag, is func(Lag) bool) int {
	for i, lag := range slices.Backward(lags) {
		if is(lag) {
			return i
		}
	}
	return -1
}

// hasRoomBeside is hasRoom of the lists beside List.
func hasRoomBeside(list []Lag, lag Lag) bool {
	return len(list) < maxBeside && sizeOfAll(list)+sizeOf(lag) <= maxBesideSize
}

func sizeOfAll(lags []Lag) (size int) {
	for _, lag := range lags {
		size += sizeOf(lag)
	}
	return size
}

func sizeOf(lag Lag) int {
	text, _ := json.Marshal(lag) // no field of it has an error
	return len(text) + 1
}

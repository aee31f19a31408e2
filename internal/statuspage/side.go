package statuspage

import (
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"github.com/app-sre/git-partition-sync/internal/fleet"
)

// longWithoutCycle is for how long no cycle may end before it is worth a word: twice what the alert on it waits, so that
// whoever has an alert has heard of it already.
const longWithoutCycle = time.Hour

// notice is something that concerns the side as a whole.
type notice struct {
	Title   string
	When    moment
	Reason  string
	Command string // with which Remedy begins, if any
	Remedy  string
	Failed  bool // or else somebody may have wanted it
}

// notices are in the order of their weight.
func notices(view fleet.View, now time.Time) (all []notice) {
	for _, f := range view.Failures {
		all = append(all, notice{f.Subject + ": " + f.Kind, lasting(f.Since, now), f.Reason, "", f.Remedy, true})
	}
	switch {
	case view.SchedulePaused:
		all = append(all, notice{"The schedule is paused", moment{}, view.ScheduleNote, "starter schedule unpause", "starts cycles again", false})
	case !view.Scheduled:
		all = append(all, notice{"No cycle starts by itself", moment{}, "There is neither a schedule nor a cron workflow.", "starter schedule create", "makes a schedule", false})
	case view.CycleEnded.IsZero():
		all = append(all, notice{"No complete cycle is known yet", moment{}, "", "starter schedule describe", "shows the cycles of the schedule", false})
	case now.Sub(view.CycleEnded) > longWithoutCycle:
		all = append(all, notice{"No complete cycle has ended", lasting(view.CycleEnded, now), "",
			"starter schedule describe", "shows when cycles are due, and what runs; the worker's log says what fails", true})
	}
	return all
}

// isOld tells whether there may be something new that no cycle has looked at.
func isOld(view fleet.View, now time.Time) bool {
	return view.SchedulePaused || !view.Scheduled || now.Sub(view.CycleEnded) > longWithoutCycle
}

// facts are what a reader has to know of the data's age, and of what the bucket holds.
func facts(view fleet.View, now time.Time) []fact {
	all := []fact{{"Read", before(view.ReadAt, now), "at " + view.ReadAt.UTC().Format("15:04:05 UTC")}}
	if !view.CycleEnded.IsZero() {
		all = append(all, fact{"Last cycle ended", before(view.CycleEnded, now), "took " + max(view.CycleTook.Round(time.Second), time.Second).String()})
	}
	if !view.CatalogCreated.IsZero() {
		all = append(all, fact{"Catalog made", before(view.CatalogCreated, now), ""})
	}
	if b := view.Bucket; b != (fleet.BucketUse{}) {
		objects, size := 0, int64(0)
		for _, use := range []fleet.Use{b.Snapshots, b.Increments, b.LFS, b.Other} {
			objects, size = objects+use.Objects, size+use.Bytes
		}
		all = append(all, fact{"Bucket", moment{}, humanize.Bytes(uint64(max(0, size))) + " in " + counting(objects, "object")})
	}
	return all
}

// headline answers how the syncs are, and is in the state of the worst of them.
func headline(c counted, old bool) (string, fleet.State) {
	if c.total == 0 {
		return "No syncs are known", fleet.Never
	}
	var parts []string
	worst := fleet.InSync
	for _, state := range states[:len(states)-1] {
		switch n := c.of[state]; {
		case n > 0 && len(parts) == 0:
			worst = state
			parts = append(parts, humanize.Comma(int64(n))+" of "+counting(c.total, "sync")+" "+verb(state, n))
		case n > 0:
			parts = append(parts, humanize.Comma(int64(n))+" "+verb(state, n))
		}
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, ", "), worst
	case c.total == 1 && old:
		return "The only sync was in sync when a cycle last looked", worst
	case c.total == 1:
		return "The only sync is in sync", worst
	case old:
		return "All " + counting(c.total, "sync") + " were in sync when a cycle last looked", worst
	}
	return "All " + counting(c.total, "sync") + " are in sync", worst
}

// verb says that so many syncs are in a state.
func verb(state fleet.State, n int) string {
	switch state {
	case fleet.Failing:
		return english.PluralWord(n, "fails", "fail")
	case fleet.Never:
		return "never arrived"
	}
	return english.PluralWord(n, "is ", "are ") + words[state]
}

func counting(n int, noun string) string {
	return humanize.Comma(int64(n)) + " " + english.PluralWord(n, noun, "")
}

package plan

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/retries"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// refused is a branch's last run, which ended at noon as the n-th in a row.
func refused(evidence string, n int) Refusal {
	return Refusal{
		Attempt: Attempt{Evidence: evidence, Refused: n, Since: noon.Add(-time.Duration(n-1) * time.Hour)}, Ended: noon,
		Kind: "PushRefused", Reason: "hook declined\nAsk.", Workflow: "consume/dst/router@main",
	}
}

// light is one that had transferred nothing.
func light(evidence string, n int) Refusal {
	r := refused(evidence, n)
	r.Light = true
	return r
}

// passing is one that may pass by itself, and that took two minutes.
func passing(evidence string, n int) Refusal {
	r := light(evidence, n)
	r.Passing, r.Seconds, r.Kind = true, 120, "ServerUnavailable"
	return r
}

func TestHoldBack(t *testing.T) {
	const now = "now"
	tests := map[string]struct {
		last  Refusal
		after time.Duration // since the last run ended
		held  bool
		try   Attempt // of the run that is started
	}{
		"never run":                    {Refusal{}, 0, false, Attempt{Evidence: now}},
		"just refused":                 {refused(now, 1), 0, true, Attempt{}},
		"within the first pause":       {refused(now, 1), 5*time.Minute - 1, true, Attempt{}},
		"after the first pause":        {refused(now, 1), 5 * time.Minute, false, refused(now, 1).Attempt},
		"within the second":            {refused(now, 2), 10*time.Minute - 1, true, Attempt{}},
		"after the second":             {refused(now, 2), 10 * time.Minute, false, refused(now, 2).Attempt},
		"within the longest":           {refused(now, 99), time.Hour - 1, true, Attempt{}},
		"after the longest":            {refused(now, 99), time.Hour, false, refused(now, 99).Attempt},
		"once, in a light way":         {light(now, 1), 0, false, light(now, 1).Attempt},
		"twice":                        {light(now, 2), 5*time.Minute - 1, true, Attempt{}},
		"twice, after the pause":       {light(now, 2), 5 * time.Minute, false, light(now, 2).Attempt},
		"three times":                  {light(now, 3), 10*time.Minute - 1, true, Attempt{}},
		"four times":                   {light(now, 4), 20*time.Minute - 1, true, Attempt{}},
		"within the longest of these":  {light(now, 99), 30*time.Minute - 1, true, Attempt{}},
		"after the longest of these":   {light(now, 99), 30 * time.Minute, false, light(now, 99).Attempt},
		"once, as in an outage":        {passing(now, 1), 0, false, passing(now, 1).Attempt},
		"twice, as in an outage":       {passing(now, 2), 2*time.Minute - 1, true, Attempt{}},
		"as long as that took":         {passing(now, 99), 2 * time.Minute, false, passing(now, 99).Attempt},
		"something has changed":        {refused("before", 9), 0, false, Attempt{Evidence: now}},
		"refused before that was kept": {refused("", 1), 0, false, Attempt{Evidence: now}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			router := destination("router", "main")
			try := Attempt{Evidence: now}
			_, held := try.backOff(router, test.last, noon.Add(test.after))
			require.Equal(t, test.held, held)
			if !held {
				require.Equal(t, test.try, try)
			}
		})
	}
}

// Both sides leave alone what was refused on the same evidence, and what is left alone takes no room.
func TestPagesHoldBack(t *testing.T) {
	s := sync("router", "main")
	other := sync("other", "main")
	chains := bucket(map[project.Branch][]string{s.Destination: {a}, other.Destination: {a}})
	heads := map[project.Branch]Head{s.Source: {Commit: b}, s.Destination: {Commit: b}, other.Source: {Commit: b}, other.Destination: {Commit: b}}
	uploads, _ := UploadPlanner{Syncs: []project.Sync{s, other}, Chains: chains}.Candidates()
	pushes := PushPlanner{Allow: project.AllowAll(), Chains: chains}.Candidates()
	last := func(evidence string) map[project.Branch]Refusal {
		return map[project.Branch]Refusal{s.Destination: refused(evidence, 1)}
	}
	evidence := fingerprint(Head{Commit: b}, chains[s.Destination].Newest(), "")
	u, p := planned(uploads, 0, PageRequest{Size: 1}, heads, last(evidence)), planned(pushes, 0, PageRequest{Size: 1}, heads, last(evidence))
	require.Equal(t, other.Destination, u.Moves[0].Sync.Destination)
	require.Equal(t, other.Destination, p.Moves[0].Destination)
	u, p = planned(uploads, 0, PageRequest{}, heads, last(evidence)), planned(pushes, 0, PageRequest{}, heads, last(evidence))
	require.Len(t, u.Moves, 1)
	require.Equal(t, u.Failed, p.Failed)
	require.Equal(t, "PushRefused", u.Failed[0].Kind)
	require.Len(t, planned(pushes, 0, PageRequest{}, heads, last("other")).Moves, 2)
}

func TestHeldBackIsReported(t *testing.T) {
	once, _ := (&Attempt{Evidence: "e"}).backOff(destination("router", "main"), refused("e", 1), noon)
	require.Contains(t, once.Reason, "\nTried once since 2026-03-01T12:00:00Z; ")
	failure, held := (&Attempt{Evidence: "e"}).backOff(destination("router", "main"), refused("e", 2), noon)
	require.True(t, held)
	require.Equal(t, Failure{
		Subject: "dst/router@main", Kind: "PushRefused", Workflow: "consume/dst/router@main",
		Reason: "hook declined\nAsk.\nTried 2 times since 2026-03-01T11:00:00Z; the first cycle after 2026-03-01T12:10:00Z tries again, starter retry at once.",
	}, failure)
}

func TestAgain(t *testing.T) {
	failed := func(after time.Duration, class retries.Class, transferred bool) Failed {
		return Failed{At: noon.Add(after), Took: 90 * time.Second, Class: class, Transferred: transferred}
	}
	first, later := Attempt{Evidence: "e"}.After(failed(0, retries.Refused, true)), noon.Add(time.Hour)
	require.Equal(t, Attempt{Evidence: "e", Refused: 1, Since: noon, Seconds: 90}, first)
	require.Equal(t, Attempt{Evidence: "e", Refused: 2, Since: noon, Seconds: 90}, first.After(failed(time.Hour, retries.Refused, true)))
	outage := first.After(failed(time.Hour, retries.Passing, true))
	require.Equal(t, Attempt{Evidence: "e", Refused: 1, Since: later, Light: true, Passing: true, Seconds: 90}, outage, "an outage says nothing of a refusal, nor the other way round")
	require.Equal(t, outage, first.After(failed(time.Hour, retries.Full, false)))
	require.Equal(t, 2, outage.After(failed(2*time.Hour, retries.Busy, true)).Refused)
	require.Equal(t, 1, outage.After(failed(0, retries.Refused, true)).Refused)
	require.Equal(t, 1, outage.After(failed(0, retries.Refused, false)).Refused)
	require.Equal(t, Attempt{Refused: 1, Since: noon, Light: true, Seconds: 90}, Attempt{}.After(failed(0, retries.Refused, false)))
}

// Of those that keep failing in a way that passes, a few are tried in each cycle, whatever their number, and all once another has got
// through. One that has failed once, or that something has changed for, is none of them.
func TestFewAreTriedInAnOutage(t *testing.T) {
	const n = 20
	var syncs []project.Sync
	chains, heads, last := map[project.Branch][]string{}, map[project.Branch]Head{}, map[project.Branch]Refusal{}
	for i := range n {
		s := sync(fmt.Sprintf("p%d", i), "main")
		syncs = append(syncs, s)
		chains[s.Destination], heads[s.Source] = []string{a}, Head{Commit: b}
	}
	page := func(recovered, now time.Time, refusal Refusal) Page[Upload] {
		planner := UploadPlanner{Syncs: syncs, Chains: bucket(chains)}
		for _, s := range syncs {
			refusal.Evidence = fingerprint(Head{Commit: b}, planner.Chains[s.Destination].Newest(), "")
			last[s.Destination] = refusal
		}
		candidates, _ := planner.Candidates()
		p := NewPage[Upload](PageRequest{Recovered: recovered})
		byDestination := map[project.Branch]Head{}
		for _, s := range syncs {
			byDestination[s.Destination] = heads[s.Source]
		}
		p.Add(candidates, byDestination, last, now)
		return p.Finish(0)
	}
	later := noon.Add(time.Hour)
	held := page(time.Time{}, later, passing("", 2))
	require.Len(t, held.Moves, retries.Probes)
	require.Len(t, held.Failed, n-retries.Probes)
	require.Contains(t, held.Failed[0].Reason, "\nTried 2 times since 2026-03-01T11:00:00Z; each cycle tries 3 of those that fail so, and all once one of them gets through, starter retry at once.")
	require.Len(t, page(noon, later, passing("", 2)).Moves, retries.Probes, "what has got through by then says nothing")
	require.Len(t, page(noon.Add(1), noon.Add(2), passing("", 2)).Moves, n)
	require.Empty(t, page(time.Time{}, noon.Add(time.Minute), passing("", 2)).Moves)
	require.Len(t, page(time.Time{}, noon, passing("", 1)).Moves, n)
	require.Len(t, page(time.Time{}, later, refused("", 2)).Moves, n, "a refusal has its pauses, and no others to wait for")
	require.Empty(t, page(noon.Add(1), noon.Add(2), refused("", 2)).Moves, "a refusal does not pass as something else does")
}

// Whatever may lift a refusal, and is seen by a plan, makes other evidence.
func TestEvidence(t *testing.T) {
	newest := object.Stored{ID: object.ID{Commit: a}, Key: "key", Modified: noon}
	replaced := newest
	replaced.Modified = noon.Add(time.Second)
	renamed := newest
	renamed.Key = "other"
	unreadable := Head{Err: errors.New("request 1: 403")}
	noProject, noGroup := Head{Err: unreadable.Err, NoProject: true}, Head{Err: unreadable.Err, NoProject: true, MissingGroups: []string{"g"}}
	all := []string{
		fingerprint(Head{Commit: a}, newest, "policy"), fingerprint(Head{Commit: b}, newest, "policy"), fingerprint(Head{Commit: a}, newest, "other policy"),
		fingerprint(Head{Commit: a}, replaced, "policy"), fingerprint(Head{Commit: a}, renamed, "policy"), fingerprint(Head{}, object.Stored{}, ""),
		fingerprint(Head{}, newest, "policy"), fingerprint(unreadable, newest, "policy"), fingerprint(noProject, newest, "policy"), fingerprint(noGroup, newest, "policy"),
	}
	different := len(all)
	require.Equal(t, all[0], fingerprint(Head{Commit: a}, newest, "policy"))
	require.Contains(t, all, fingerprint(Head{Err: errors.New("request 2: 403")}, newest, "policy"))
	slices.Sort(all)
	require.Len(t, slices.Compact(all), different)
}

// What is only shown counts as failed what no run is going to find out.
func TestDetailNamesWhatCannotBeRead(t *testing.T) {
	s := sync("router", "main")
	unreadable := Head{Err: errors.New("404"), Kind: "ProjectNotFound"}
	uploads := func(head Head) Page[Upload] {
		return planUploads(UploadPlanner{Syncs: []project.Sync{s}, PageRequest: PageRequest{Detail: true}}, map[project.Branch]Head{s.Source: head})
	}
	require.Equal(t, []Failure{{Subject: "dst/router@main", Kind: "ProjectNotFound", Reason: "source src/router@main: the source cannot be read: 404"}}, uploads(unreadable).Failed)
	require.Equal(t, []Failure{{Subject: "dst/router@main", Kind: "BranchNotFound", Reason: "source src/router@main: the source branch does not exist"}}, uploads(Head{}).Failed)
	require.Empty(t, uploads(unreadable).Moves)

	pushes := planPushes(PushPlanner{
		Allow:  project.AllowAll(),
		Chains: bucket(map[project.Branch][]string{s.Destination: {a}}), PageRequest: PageRequest{Detail: true},
	}, map[project.Branch]Head{s.Destination: unreadable})
	require.Equal(t, []Failure{{Subject: "dst/router@main", Kind: "ProjectNotFound", Reason: "404"}}, pushes.Failed)
	require.Empty(t, pushes.Moves)
}

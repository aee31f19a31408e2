package plan

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// refused is a branch's last run, which ended at noon as the n-th in a row.
func refused(evidence string, n int) Refusal {
	return Refusal{
		Attempt: Attempt{Evidence: evidence, Refused: n, Since: noon.Add(-time.Duration(n-1) * time.Hour)}, Ended: noon,
		Kind: "PushRefused", Reason: "hook declined\nAsk.", Workflow: "consume/dst/router@main",
	}
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
	evidence := fingerprint(b, chains[s.Destination].Newest(), "")
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
	first := Attempt{Evidence: "e"}.RefusedAt(noon)
	require.Equal(t, Attempt{Evidence: "e", Refused: 1, Since: noon}, first)
	require.Equal(t, Attempt{Evidence: "e", Refused: 2, Since: noon}, first.RefusedAt(noon.Add(time.Hour)))
}

// Whatever may lift a refusal, and is seen by a plan, makes other evidence.
func TestEvidence(t *testing.T) {
	newest := object.Stored{ID: object.ID{Commit: a}, Key: "key", Modified: noon}
	replaced := newest
	replaced.Modified = noon.Add(time.Second)
	renamed := newest
	renamed.Key = "other"
	all := []string{
		fingerprint(a, newest, "policy"), fingerprint(b, newest, "policy"), fingerprint(a, newest, "other policy"),
		fingerprint(a, replaced, "policy"), fingerprint(a, renamed, "policy"), fingerprint("", object.Stored{}, ""),
	}
	require.Equal(t, all[0], fingerprint(a, newest, "policy"))
	slices.Sort(all)
	require.Len(t, slices.Compact(all), 6)
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

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
		Try: Try{Evidence: evidence, Refused: n, Since: noon.Add(-time.Duration(n-1) * time.Hour)}, Ended: noon,
		Kind: "PushRefused", Reason: "hook declined\nAsk.", Workflow: "consume/dst/router@main",
	}
}

func TestHoldBack(t *testing.T) {
	const now = "now"
	tests := map[string]struct {
		last  Refusal
		after time.Duration // since the last run ended
		held  bool
		try   Try // of the run that is started
	}{
		"never run":                    {Refusal{}, 0, false, Try{Evidence: now}},
		"just refused":                 {refused(now, 1), 0, true, Try{}},
		"within the first pause":       {refused(now, 1), 5*time.Minute - 1, true, Try{}},
		"after the first pause":        {refused(now, 1), 5 * time.Minute, false, refused(now, 1).Try},
		"within the second":            {refused(now, 2), 10*time.Minute - 1, true, Try{}},
		"after the second":             {refused(now, 2), 10 * time.Minute, false, refused(now, 2).Try},
		"within the longest":           {refused(now, 99), time.Hour - 1, true, Try{}},
		"after the longest":            {refused(now, 99), time.Hour, false, refused(now, 99).Try},
		"something has changed":        {refused("before", 9), 0, false, Try{Evidence: now}},
		"refused before that was kept": {refused("", 1), 0, false, Try{Evidence: now}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			router := destination("router", "main")
			pushes := Pushes{Pushes: []Push{{Destination: router, Try: Try{Evidence: now}}}}
			uploads := Uploads{Uploads: []Upload{{Sync: sync("router", "main"), Try: Try{Evidence: now}}}}
			last := map[project.Branch]Refusal{router: test.last}
			pushes.HoldBack(last, noon.Add(test.after))
			uploads.HoldBack(last, noon.Add(test.after))
			require.Equal(t, pushes.Failures, uploads.Failures)
			if test.held {
				require.Empty(t, pushes.Pushes)
				require.Empty(t, uploads.Uploads)
				require.Len(t, pushes.Failures, 1)
				return
			}
			require.Empty(t, pushes.Failures)
			require.Equal(t, test.try, pushes.Pushes[0].Try)
			require.Equal(t, test.try, uploads.Uploads[0].Try)
		})
	}
}

func TestHeldBackIsReported(t *testing.T) {
	p := Pushes{Pushes: []Push{{Destination: destination("router", "main"), Try: Try{Evidence: "e"}}}}
	p.HoldBack(map[project.Branch]Refusal{destination("router", "main"): refused("e", 2)}, noon)
	require.Equal(t, []Failure{{
		Subject: "dst/router@main", Kind: "PushRefused", Workflow: "consume/dst/router@main",
		Reason: "hook declined\nAsk.\nTried 2 times since 2026-03-01T11:00:00Z; the first cycle after 2026-03-01T12:10:00Z tries again, starter retry at once.",
	}}, p.Failures)
}

func TestAgain(t *testing.T) {
	first := Try{Evidence: "e"}.Again(noon)
	require.Equal(t, Try{Evidence: "e", Refused: 1, Since: noon}, first)
	require.Equal(t, Try{Evidence: "e", Refused: 2, Since: noon}, first.Again(noon.Add(time.Hour)))
}

// Whatever may lift a refusal, and is seen by a plan, makes other evidence.
func TestEvidence(t *testing.T) {
	newest := object.Stored{ID: object.ID{Commit: a}, Key: "key", Modified: noon}
	replaced := newest
	replaced.Modified = noon.Add(time.Second)
	renamed := newest
	renamed.Key = "other"
	all := []string{
		evidence(a, newest, "policy"), evidence(b, newest, "policy"), evidence(a, newest, "other policy"),
		evidence(a, replaced, "policy"), evidence(a, renamed, "policy"), evidence("", object.Stored{}, ""),
	}
	require.Equal(t, all[0], evidence(a, newest, "policy"))
	slices.Sort(all)
	require.Len(t, slices.Compact(all), 6)
}

// What is only shown counts as failed what no run is going to find out.
func TestDetailNamesWhatCannotBeRead(t *testing.T) {
	s := sync("router", "main")
	unreadable := Head{Err: errors.New("404"), Kind: "ProjectNotFound"}
	uploads := func(head Head) Uploads {
		return Producer{Syncs: []project.Sync{s}, Heads: map[project.Branch]Head{s.Source: head}, Detail: true}.Plan()
	}
	require.Equal(t, []Failure{{Subject: "dst/router@main", Kind: "ProjectNotFound", Reason: "source src/router@main: the source cannot be read: 404"}}, uploads(unreadable).Failures)
	require.Equal(t, []Failure{{Subject: "dst/router@main", Kind: "BranchNotFound", Reason: "source src/router@main: the source branch does not exist"}}, uploads(Head{}).Failures)
	require.Empty(t, uploads(unreadable).Uploads)

	pushes := Consumer{
		Allow:  project.AllowAll(),
		Heads:  map[project.Branch]Head{s.Destination: unreadable},
		Chains: bucket(map[project.Branch][]string{s.Destination: {a}}), Detail: true,
	}.Plan()
	require.Equal(t, []Failure{{Subject: "dst/router@main", Kind: "ProjectNotFound", Reason: "404"}}, pushes.Failures)
	require.Empty(t, pushes.Pushes)
}

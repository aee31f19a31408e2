package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

// Each list has its first entries, and the number of all others, however short or long they are.
func TestListsAreBounded(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		entry  string
		listed int
	}{"short": {"a", maxListEntries}, "long": {strings.Repeat("<", 1000), 5}} {
		for what, add := range map[string]func(*Report, string){"synced": (*Report).AddSynced, "running": (*Report).AddRunning, "objects": (*Report).AddPruned} {
			var r Report
			for range 1000 {
				add(&r, tt.entry)
			}
			require.Equal(t, tt.listed, len(r.Synced)+len(r.Running)+len(r.Pruned), name)
			require.Equal(t, 1000-tt.listed, r.SyncedMore+r.RunningMore+r.PrunedMore, name)
			require.Regexp(t, fmt.Sprintf(`\b1000 \w*\s?%s`, what), r.String())
			text, err := json.Marshal(r)
			require.NoError(t, err)
			require.Less(t, len(text), maxListSize+200)
		}
	}
}

// What comes after an entry that had no room is counted, too, however short it is: the list is of the first ones.
func TestListsHaveTheFirst(t *testing.T) {
	t.Parallel()
	var r Report
	for _, entry := range []string{"first", strings.Repeat("long", maxListSize), "last"} {
		r.AddSynced(entry)
	}
	require.Equal(t, []string{"first"}, r.Synced)
	require.Equal(t, 2, r.SyncedMore)
}

func TestReportInWords(t *testing.T) {
	t.Parallel()
	require.Equal(t, "0 checked, 0 up to date, 0 synced, 0 failed", Report{}.String(), "nothing else is worth a word")
	require.NoError(t, Report{Checked: 1, Unchecked: 2}.Err())

	r := Report{Checked: 9, UpToDate: 1, Planned: []string{"a"}, Deferred: 2, Unchecked: 3, PruneLeft: 4}
	for i := range maxQuotedReasons {
		r.Fail(plan.Failure{Subject: fmt.Sprint("s", i), Kind: "K", Reason: "broken"})
	}
	failure := func() *temporal.ApplicationError {
		var failure *temporal.ApplicationError
		require.ErrorAs(t, r.Err(), &failure)
		require.True(t, failure.NonRetryable(), "a cycle is not tried again: the next one is")
		require.Equal(t, plan.KindSyncsFailed, failure.Type())
		var details Report
		require.NoError(t, failure.Details(&details))
		require.Equal(t, r, details)
		return failure
	}
	lines := strings.Split(failure().Message(), "\n")
	require.Equal(t, "20 failed: 20 K", lines[0])
	require.Equal(t, "9 checked, 1 up to date, 0 synced, 20 failed, 1 planned, 2 deferred, 3 not looked at, 4 left to prune", lines[1])
	require.Equal(t, "s0: broken (K)", lines[2])
	require.Len(t, lines, 2+maxQuotedReasons)
	r.Fail(plan.Failure{Subject: "s", Kind: "K", Reason: "broken"})
	require.Contains(t, failure().Message(), "\n... and 1 more")
}

// The parts of a dry run make one report.
func TestPartsOfADryRun(t *testing.T) {
	t.Parallel()
	part := func(name string, next *Position) Report {
		return Report{
			Checked: 3, UpToDate: 2, Planned: []string{name}, InSync: []plan.BranchStatus{{Destination: name}}, Behind: []plan.BranchStatus{{Destination: name}},
			Failures: plan.Failures{Failed: []plan.Failure{{Subject: name}}, FailedMore: 1}, Unchecked: 5, Next: next, NotCatalogued: 4,
			Sources: map[string]*plan.SourceStatus{name: {State: name}},
		}
	}
	all := part("a", &Position{After: 1})
	all.Extend(part("b", nil))
	both := []plan.BranchStatus{{Destination: "a"}, {Destination: "b"}}
	require.Equal(t, Report{
		Checked: 6, UpToDate: 4, Planned: []string{"a", "b"}, InSync: both, Behind: both,
		Failures: plan.Failures{Failed: []plan.Failure{{Subject: "a"}, {Subject: "b"}}, FailedMore: 2}, Unchecked: 5, NotCatalogued: 8,
		Sources: map[string]*plan.SourceStatus{"a": {State: "a"}, "b": {State: "b"}},
	}, all)

	all = Report{}
	all.Extend(part("b", nil))
	require.Len(t, all.Sources, 1)
}

// What a parent's failure begins with is the line that lists of workflows show.
func TestFailedInWords(t *testing.T) {
	t.Parallel()
	for want, kinds := range map[string][]string{
		"1 of 40 failed: 1 A":                          {"A"},
		"3 of 40 failed: 2 B, 1 A":                     {"B", "A", "B"},
		"6 of 40 failed: 1 A, 1 B, 1 C, 1 D, 1 E, ...": {"F", "E", "D", "C", "B", "A"},
	} {
		r := Report{Checked: 40}
		for _, kind := range kinds {
			r.Fail(plan.Failure{Kind: kind})
		}
		var failure *temporal.ApplicationError
		require.ErrorAs(t, r.Err(), &failure)
		require.Equal(t, want, strings.Split(failure.Message(), "\n")[0])
	}
	unlisted := Report{Checked: 40}
	unlisted.Fail(plan.Failure{Kind: "A"})
	unlisted.FailedMore = 7
	require.Contains(t, unlisted.Err().Error(), "8 of 40 failed: 1 A, ...\n", "of the seven the kinds are not known")
}

// A step's failure is told by its own kind and words, and any other by what is innermost of those that Temporal wraps it in.
func TestFailureOf(t *testing.T) {
	t.Parallel()
	step := temporal.NewNonRetryableApplicationError("no", "WrongKey", nil)
	for text, err := range map[string]error{
		"WrongKey: no":            fmt.Errorf("activity error: %w", step),
		"ChildFailed: terminated": fmt.Errorf("child workflow execution error: %w", errors.New("terminated")),
		"ChildFailed: alone":      errors.New("alone"),
		// Names and numbers of Temporal's are for those who look there.
		"ChildFailed: it was cancelled":                         temporal.NewCanceledError(),
		"ChildFailed: it took longer than it may":               temporal.NewTimeoutError(enums.TIMEOUT_TYPE_START_TO_CLOSE, nil),
		"ChildFailed: no worker took it up in time":             temporal.NewTimeoutError(enums.TIMEOUT_TYPE_SCHEDULE_TO_START, nil),
		"ChildFailed: its worker gave no sign of life any more": temporal.NewTimeoutError(enums.TIMEOUT_TYPE_HEARTBEAT, nil),
	} {
		kind, reason := FailureOf(err)
		require.Equal(t, text, kind+": "+reason)
	}
}

package plan

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// planUploads is the producer's plan for heads of sources that are given, in one page.
func planUploads(p UploadPlanner, heads map[project.Branch]Head) Page[Upload] {
	candidates, left := p.Candidates()
	return planned(candidates, left, p.PageRequest, byDestination(p.Syncs, heads), nil)
}

// byDestination gives each sync's destination the head of its source.
func byDestination(syncs []project.Sync, heads map[project.Branch]Head) map[project.Branch]Head {
	out := map[project.Branch]Head{}
	for _, s := range syncs {
		out[s.Destination] = heads[s.Source]
	}
	return out
}

// planPushes is that of the consumer.
func planPushes(p PushPlanner, heads map[project.Branch]Head) Page[Push] {
	return planned(p.Candidates(), 0, p.PageRequest, heads, nil)
}

func planned[M any](candidates []Candidate[M], left int, r PageRequest, heads map[project.Branch]Head, last map[project.Branch]Refusal) Page[M] {
	page := NewPage[M](r)
	took := page.Add(candidates, heads, last, noon)
	return page.Finish(left + len(candidates) - took)
}

// bothPlan is what both sides plan for one branch each, whose head and bucket are given.
func bothPlan(head Head, commits []string, settings string) (Page[Upload], Page[Push]) {
	s := sync("router", "main")
	chains := bucket(map[project.Branch][]string{s.Destination: commits})
	uploads := planUploads(UploadPlanner{Syncs: []project.Sync{s}, Chains: chains, Settings: settings}, map[project.Branch]Head{s.Source: head})
	pushes := planPushes(PushPlanner{Allow: project.AllowAll(), Chains: chains, Settings: settings}, map[project.Branch]Head{s.Destination: head})
	return uploads, pushes
}

// What lifts a refusal is part of the evidence of each side's plan.
func TestPlansHaveTheirEvidence(t *testing.T) {
	t.Parallel()
	var uploads, pushes []string
	for _, tt := range []struct {
		head     string
		commits  []string
		settings string
	}{
		{c, []string{a}, "policy"}, {b, []string{a}, "policy"}, {c, []string{a, b}, "policy"}, {c, []string{a}, "other policy"},
	} {
		u, p := bothPlan(Head{Commit: tt.head}, tt.commits, tt.settings)
		uploads, pushes = append(uploads, u.Moves[0].Evidence), append(pushes, p.Moves[0].Evidence)
	}
	for _, evidence := range [][]string{uploads, pushes} {
		slices.Sort(evidence)
		require.Len(t, slices.Compact(evidence), 4)
		require.NotContains(t, evidence, "")
	}
}

// A run that was planned without evidence, as by hand, holds nothing back.
func TestNoEvidenceHoldsNothingBack(t *testing.T) {
	t.Parallel()
	_, held := (&Attempt{}).backOff(destination("router", "main"), refused("", 1), noon)
	require.False(t, held)
}

// What is only shown says of what is in sync since when.
func TestPlansSayWhatIsInSync(t *testing.T) {
	t.Parallel()
	s := sync("router", "main")
	chains := bucket(map[project.Branch][]string{s.Destination: {a, b}})
	heads := map[project.Branch]Head{s.Source: {Commit: b}, s.Destination: {Commit: b}}
	want := []BranchStatus{{Destination: "dst/router@main", Since: time.Unix(1, 0), Ends: &Ends{Source: b, Is: b, Objects: 2, Size: 1100}}}
	require.Equal(t, want, planUploads(UploadPlanner{Syncs: []project.Sync{s}, Chains: chains, PageRequest: PageRequest{Detail: true}}, heads).InSync)
	require.Equal(t, want, planPushes(PushPlanner{Allow: project.AllowAll(), Chains: chains, PageRequest: PageRequest{Detail: true}}, heads).InSync)
}

// Projects for which a scan had no time are counted: nothing is planned for them, or said of them one by one.
func TestWhatWasNotAskedIsNotPlanned(t *testing.T) {
	t.Parallel()
	uploads, pushes := bothPlan(Head{Err: errors.New("not asked"), Unreachable: true, NotQueried: true}, []string{a}, "")
	require.Empty(t, uploads.Moves)
	require.Empty(t, pushes.Moves)
	require.Len(t, uploads.Failed, 1)
	require.Contains(t, uploads.Failed[0].String(), "git server: 1 syncs were not looked at: ")
	require.Equal(t, KindUnreachable, uploads.Failed[0].Kind)
	require.Equal(t, uploads.Failed, pushes.Failed)
	require.Equal(t, 1, uploads.Checked)
}

func TestFailureNamesItsWorkflow(t *testing.T) {
	t.Parallel()
	f := Failure{Subject: "dst/router@main", Kind: "PushRefused", Reason: "no"}
	require.Equal(t, "dst/router@main: no (PushRefused)", f.String())
	f.Workflow = "consume/dst/router@main"
	require.Equal(t, "dst/router@main: no (PushRefused, workflow consume/dst/router@main)", f.String())
}

// A branch that is at its commit still has to note the newest object, where notes are kept. To have noted one is not enough.
func TestPushesForTheNote(t *testing.T) {
	t.Parallel()
	main := destination("router", "main")
	for name, tt := range map[string]struct {
		note   bool
		head   Head
		reason string // "" is up to date
	}{
		"no notes are kept":      {false, Head{Commit: a}, ""},
		"noted":                  {true, Head{Commit: a, Noted: a}, ""},
		"noted with another tip": {true, Head{Commit: a, Noted: b}, ""},
		"not yet":                {true, Head{Commit: a}, "the destination is at aaaaaaa and has yet to note the bucket's newest object"},
		"noted, and moved away":  {true, Head{Commit: b, Noted: a}, "the destination is at bbbbbbb, the bucket at aaaaaaa"},
	} {
		p := PushPlanner{
			Allow: project.AllowAll(), RequireNoted: tt.note,
			Chains: bucket(map[project.Branch][]string{main: {a}}),
		}
		var reason string
		for _, m := range planPushes(p, map[project.Branch]Head{main: tt.head}).Moves {
			reason = m.Reason
		}
		require.Equal(t, tt.reason, reason, name)
	}
}

// Each cycle has an order of its own, on both sides.
func TestPlansTakeTurns(t *testing.T) {
	t.Parallel()
	firstUpload, firstPush := map[string]bool{}, map[string]bool{}
	producer, heads := UploadPlanner{}, map[project.Branch]Head{}
	consumer := PushPlanner{Allow: project.AllowAll()}
	commits := map[project.Branch][]string{}
	for i := range 8 {
		s := sync(fmt.Sprintf("p%d", i), "main")
		producer.Syncs = append(producer.Syncs, s)
		heads[s.Source] = Head{Commit: a}
		commits[s.Destination] = []string{a}
	}
	consumer.Chains = bucket(commits)
	for i := range 100 {
		producer.Order, consumer.Order = turn.Order(i), turn.Order(i)
		firstUpload[planUploads(producer, heads).Moves[0].Sync.Destination.Name] = true
		firstPush[planPushes(consumer, heads).Moves[0].Destination.Name] = true
	}
	require.Len(t, firstUpload, 8)
	require.Len(t, firstPush, 8)
}

package plan

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// planned is what both sides plan for one branch each, whose head and bucket are given.
func planned(head Head, commits []string, settings string) (Uploads, Pushes) {
	s := sync("router", "main")
	chains := bucket(map[project.Branch][]string{s.Destination: commits})
	uploads := Producer{Syncs: []project.Sync{s}, Heads: map[project.Branch]Head{s.Source: head}, Chains: chains, Settings: settings}.Plan()
	pushes := Consumer{Allow: project.AllowAll(), Heads: map[project.Branch]Head{s.Destination: head}, Chains: chains, Settings: settings}.Plan()
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
		u, p := planned(Head{Commit: tt.head}, tt.commits, tt.settings)
		uploads, pushes = append(uploads, u.Uploads[0].Evidence), append(pushes, p.Pushes[0].Evidence)
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
	p := Pushes{Pushes: []Push{{Destination: destination("router", "main")}}}
	p.HoldBack(map[project.Branch]Refusal{destination("router", "main"): refused("", 1)}, noon)
	require.Len(t, p.Pushes, 1)
	require.Empty(t, p.Failures)
}

// Projects for which a scan had no time are counted: nothing is planned for them, or said of them one by one.
func TestWhatWasNotAskedIsNotPlanned(t *testing.T) {
	t.Parallel()
	uploads, pushes := planned(Head{Err: errors.New("not asked"), Unreachable: true, NotAsked: true}, []string{a}, "")
	require.Empty(t, uploads.Uploads)
	require.Empty(t, pushes.Pushes)
	require.Equal(t, []Failure{notAsked(1)}, uploads.Failures)
	require.Equal(t, uploads.Failures, pushes.Failures)
}

// A branch that is at its commit still has to note the newest object, where notes are kept.
func TestPushesForTheNote(t *testing.T) {
	t.Parallel()
	main := destination("router", "main")
	for name, tt := range map[string]struct {
		note, noted bool
		due         int
	}{"no notes are kept": {false, false, 0}, "noted": {true, true, 0}, "not yet": {true, false, 1}} {
		p := Consumer{
			Allow: project.AllowAll(), Note: tt.note, Heads: map[project.Branch]Head{main: {Commit: a, Noted: tt.noted}},
			Chains: bucket(map[project.Branch][]string{main: {a}}),
		}
		require.Len(t, p.Plan().Pushes, tt.due, name)
	}
}

// Each cycle has an order of its own, on both sides.
func TestPlansTakeTurns(t *testing.T) {
	t.Parallel()
	firstUpload, firstPush := map[string]bool{}, map[string]bool{}
	producer := Producer{Heads: map[project.Branch]Head{}}
	consumer := Consumer{Allow: project.AllowAll()}
	commits := map[project.Branch][]string{}
	for i := range 8 {
		s := sync(fmt.Sprintf("p%d", i), "main")
		producer.Syncs = append(producer.Syncs, s)
		producer.Heads[s.Source] = Head{Commit: a}
		commits[s.Destination] = []string{a}
	}
	consumer.Chains = bucket(commits)
	for i := range 100 {
		producer.Turn, consumer.Turn = turn.Turn(i), turn.Turn(i)
		firstUpload[producer.Plan().Uploads[0].Sync.Destination.Name] = true
		firstPush[consumer.Plan().Pushes[0].Destination.Name] = true
	}
	require.Len(t, firstUpload, 8)
	require.Len(t, firstPush, 8)
}

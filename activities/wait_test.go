package activities

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/retries"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

// waiting is one side whose branches all have to move.
type waiting struct {
	common *Common // of the side
	plan   func(PlanRequest) (names []string, failed []plan.Failure)
}

// planWith plans on one side, and takes note of what the runs will know.
func planWith[M any](t *testing.T, env *testsuite.TestActivityEnvironment, attempts map[string]plan.Attempt, scan func(context.Context, PlanRequest) (plan.Page[M], error), tell func(M) (project.Branch, plan.Attempt)) func(PlanRequest) ([]string, []plan.Failure) {
	return func(r PlanRequest) (names []string, failed []plan.Failure) {
		value, err := env.ExecuteActivity(scan, r)
		require.NoError(t, err)
		var p plan.Page[M]
		require.NoError(t, value.Get(&p))
		for _, move := range p.Moves {
			destination, attempt := tell(move)
			names, attempts[destination.Name] = append(names, destination.Name), attempt
		}
		slices.Sort(names)
		return names, p.Failed
	}
}

// A branch whose last run was refused waits until something is new: the source, the bucket, the settings, or what an operator says.
func TestRefusedBranchesWait(t *testing.T) {
	t.Parallel()
	names := []string{"10", "20", "30"}
	keys, syncs := make([]string, len(names)), make([]project.Sync, len(names))
	for i, name := range names {
		b := project.Branch{Group: "group", Name: name, Branch: "main"}
		syncs[i] = project.Sync{Source: b, Destination: b}
		var err error
		keys[i], err = object.ID{Destination: b, Commit: commitOf(i)}.Key()
		require.NoError(t, err)
	}
	refs := &refsOf{moved: true, asked: map[string]int{}}
	attempts := map[string]plan.Attempt{}
	common := Common{Bucket: fullBucket(t, len(keys), func(i int) string { return keys[i] }), Clock: func() time.Time { return runEnded.Add(time.Minute) }, Settings: "then"}
	producer := &Producer{Common: common, Signer: sign.Unsigned(), Syncs: &listed{syncs: syncs}, Source: sourceOf{refsOf: refs}}
	consumer := &Consumer{Common: common, Destination: destinationOf{refsOf: refs}, Allow: project.AllowAll(), Verifier: sign.Unverified()}
	env := newActivities()
	env.RegisterActivity(producer)
	env.RegisterActivity(consumer)
	for side, s := range map[string]waiting{
		"producer": {&producer.Common, planWith(t, env, attempts, producer.PlanUploads, func(u plan.Upload) (project.Branch, plan.Attempt) { return u.Sync.Destination, u.Attempt })},
		"consumer": {&consumer.Common, planWith(t, env, attempts, consumer.PlanPushes, func(p plan.Push) (project.Branch, plan.Attempt) { return p.Destination, p.Attempt })},
	} {
		t.Run(side, func(t *testing.T) {
			moves, failed := s.plan(PlanRequest{})
			require.Equal(t, names, moves)
			require.Empty(t, failed)

			ends := runEnds{}
			for name, attempt := range attempts {
				ends["move-"+name] = failedWith(temporal.NewApplicationError("the branch is protected", "PushRefused", attempt.After(plan.Failed{At: runEnded, Class: retries.Refused, Transferred: true})))
			}
			s.common.LastRuns = LastRuns{Executions: ends, ID: func(b project.Branch) string { return "move-" + b.Name }}
			moves, failed = s.plan(PlanRequest{})
			require.Empty(t, moves)
			require.Len(t, failed, len(names))
			for _, f := range failed {
				require.Equal(t, "PushRefused", f.Kind)
				require.Contains(t, f.Reason, "the branch is protected")
				require.Contains(t, f.Reason, remedyOf("PushRefused"))
			}

			moves, failed = s.plan(PlanRequest{Retry: []project.Branch{{Group: strings.ToUpper("group"), Name: "20", Branch: "main"}}})
			require.Equal(t, []string{"20"}, moves)
			require.Len(t, failed, len(names)-1)

			moves, failed = s.plan(PlanRequest{Only: []project.Branch{{Group: "group", Name: "20", Branch: "main"}}})
			require.Empty(t, moves, "a push event or a poll says nothing of why it was refused")
			require.Len(t, failed, 1)
			moves, failed = s.plan(PlanRequest{Only: []project.Branch{{Group: "group", Name: "20", Branch: "main"}}, Insist: true})
			require.Equal(t, []string{"20"}, moves, "a person has named it")
			require.Empty(t, failed)

			s.common.Settings = "now"
			moves, failed = s.plan(PlanRequest{})
			require.Equal(t, names, moves, "what may decide otherwise")
			require.Empty(t, failed)
		})
	}
}

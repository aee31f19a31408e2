package stack

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/graphql"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/refset"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// CycleEvery is the pause between the cycles of a schedule.
const CycleEvery = 2 * time.Second

// State is how far a sync is.
type State struct {
	Sync        project.Sync
	Source      string         // what the source branch or tag points to, or the state of a set of refs; "" when there is none
	Object      *object.Stored // the destination's newest object in the bucket; nil when there is none
	Destination string         // likewise of the destination
}

// InSync tells that the destination is what the source is.
func (s State) InSync() bool { return s.Source != "" && s.Source == s.Destination }

// States asks both Git servers and the bucket about every configured sync.
func (s *Stack) States(ctx context.Context) ([]State, error) {
	endpoint, err := url.Parse(s.graphql.URL())
	if err != nil {
		return nil, err
	}
	c, err := graphql.New(graphql.Options{URL: endpoint, Username: graphQLUser, Password: s.graphQLPassword})
	if err != nil {
		return nil, err
	}
	syncs, err := c.Syncs(ctx)
	if err != nil {
		return nil, err
	}
	b, err := s.Bucket(ctx, Consumer)
	if err != nil {
		return nil, err
	}
	chains, err := Chains(ctx, b)
	if err != nil {
		return nil, err
	}
	states := make([]State, len(syncs))
	for i, sync := range syncs {
		states[i] = State{Sync: sync, Source: s.Source.head(ctx, sync.Source), Destination: s.Destination.head(ctx, sync.Destination)}
		if c, ok := chains[sync.Destination]; ok {
			newest := c.Newest()
			states[i].Object = &newest
		}
	}
	return states, ctx.Err()
}

// head is "" for a branch, tag or project that does not exist, and for a set that matches nothing.
func (g *GitServer) head(ctx context.Context, b project.Branch) string {
	heads, err := g.Heads(ctx, b.Path())
	if err != nil {
		return ""
	}
	if !b.IsSet() {
		return heads[b.Branch]
	}
	var refs []refset.Ref
	for name, object := range heads {
		if part, ok := b.Match(project.Branch{Branch: name}.Ref()); ok {
			refs = append(refs, refset.Ref{Part: part, Object: object})
		}
	}
	list, err := refset.New(refs)
	if err != nil {
		return ""
	}
	return list.StateID()
}

// Chains are those of all destinations in a bucket. What else there is, is left out.
func Chains(ctx context.Context, b *bucket.Bucket) (map[project.Branch]chain.Chain, error) {
	var objects []object.Stored
	for o, err := range b.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		if stored, err := object.NewStored(o.Key, o.Size, o.Modified); err == nil {
			objects = append(objects, stored)
		}
	}
	return chain.Build(objects), nil
}

// LastFailure is what the side's last finished cycle failed with; nil when it did not, or when
// there was none yet.
func (s *Stack) LastFailure(ctx context.Context, role Role) error {
	c := s.Temporal.Clients[role]
	parent := names[role].Parent
	list, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Query:    fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus != 'Running'", parent),
		PageSize: 1, // the newest comes first
	})
	if err != nil || len(list.GetExecutions()) == 0 {
		return err
	}
	last := list.GetExecutions()[0].GetExecution()
	return failureOf(ctx, c.GetWorkflow(ctx, last.GetWorkflowId(), last.GetRunId()))
}

// failureOf is what a workflow run failed with, without what Temporal wraps around it.
func failureOf(ctx context.Context, run client.WorkflowRun) error {
	var report contract.Report
	err := run.Get(ctx, &report)
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return errors.New(failed.Message())
	}
	return err
}

// InSync tells that every sync is.
func InSync(states []State) bool {
	return !slices.ContainsFunc(states, func(s State) bool { return !s.InSync() })
}

package workflows_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// asking is a script whose plans ask the namespace for its search attributes.
type asking struct {
	*script
	attributes atomic.Pointer[activities.SearchAttributes]
}

func (a *asking) PlanPushes(ctx context.Context, r activities.PlanRequest) (plan.Page[plan.Push], error) {
	page, err := a.script.PlanPushes(ctx, r)
	page.SearchAttributes = a.attributes.Load().Registered(ctx)
	return page, err
}

// A namespace refuses to start a child with an attribute that it does not know, and the parent tries it for ever, without a word.
func TestUnpreparedNamespace(t *testing.T) {
	t.Parallel()
	a := &asking{script: newScript()}
	c := scripted(t, a)
	look := func() *activities.SearchAttributes {
		return &activities.SearchAttributes{Operator: c, Namespace: client.DefaultNamespace, Names: contract.Attributes()}
	}
	cycle := func() (attributes int) {
		a.attributes.Store(look())
		options := client.StartWorkflowOptions{ID: contract.Consumer.ParentID, TaskQueue: scriptQueue}
		run, err := c.ExecuteWorkflow(t.Context(), options, workflows.ConsumerSync, contract.CycleInput{SearchAttributes: true})
		require.NoError(t, err)
		require.Error(t, run.Get(t.Context(), nil), "a sync fails")
		child, err := c.DescribeWorkflowExecution(t.Context(), contract.Consumer.ChildID(branch("fails")), "")
		require.NoError(t, err)
		return len(child.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields())
	}
	before := cycle()

	types := map[string]enums.IndexedValueType{}
	for _, name := range contract.Attributes() {
		types[name] = enums.INDEXED_VALUE_TYPE_KEYWORD
	}
	_, err := c.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{
		Namespace: client.DefaultNamespace, SearchAttributes: types,
	})
	require.NoError(t, err)
	require.Equal(t, before+len(types), cycle(), "without another schedule")
}

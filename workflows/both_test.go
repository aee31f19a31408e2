package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// findings are a page of either side's plan, whose moves are named.
type findings struct {
	checked, upToDate int
	moves             []string
	failed            []plan.Failure
	reached           turn.Position
	left              int
	warning           string
	paused            []fleet.Pause
}

// bothSides are what tests of a cycle need of each side.
var bothSides = map[string]struct {
	parent  func(workflow.Context, contract.CycleInput) (contract.Report, error)
	childID func(project.Branch) string
	// plan has the scan find pages by what it is asked.
	plan func(*testsuite.TestWorkflowEnvironment, func(activities.PlanRequest) (findings, error))
	// children has each branch end as it is told.
	children func(*testsuite.TestWorkflowEnvironment, func(ctx workflow.Context, name string) error)
}{
	contract.Producer.Name: {
		parent: workflows.ProducerSync, childID: contract.Producer.ChildID,
		plan: func(env *testsuite.TestWorkflowEnvironment, find func(activities.PlanRequest) (findings, error)) {
			env.OnActivity(producer.PlanUploads, mock.Anything, mock.Anything).Return(page(find, func(name string) plan.Upload {
				return plan.Upload{Sync: project.Sync{Source: branch("source"), Destination: branch(name)}, Reason: "moved"}
			}))
			env.OnActivity(producer.Prune, mock.Anything, mock.Anything).Return(activities.Pruned{}, nil).Maybe()
		},
		children: func(env *testsuite.TestWorkflowEnvironment, end func(workflow.Context, string) error) {
			env.OnWorkflow(workflows.ProduceProject, mock.Anything, mock.Anything).Return(func(ctx workflow.Context, u plan.Upload) (activities.Uploaded, error) {
				return activities.Uploaded{Summary: "done"}, end(ctx, u.Sync.Destination.Name)
			}).Maybe()
		},
	},
	contract.Consumer.Name: {
		parent: workflows.ConsumerSync, childID: contract.Consumer.ChildID,
		plan: func(env *testsuite.TestWorkflowEnvironment, find func(activities.PlanRequest) (findings, error)) {
			env.OnActivity(consumer.PlanPushes, mock.Anything, mock.Anything).Return(page(find, func(name string) plan.Push {
				return plan.Push{Destination: branch(name), Commit: "c", Reason: "moved"}
			}))
		},
		children: func(env *testsuite.TestWorkflowEnvironment, end func(workflow.Context, string) error) {
			env.OnWorkflow(workflows.ConsumeProject, mock.Anything, mock.Anything).Return(func(ctx workflow.Context, p plan.Push) (activities.Pushed, error) {
				return activities.Pushed{Summary: "done"}, end(ctx, p.Destination.Name)
			}).Maybe()
		},
	},
}

func page[M any](find func(activities.PlanRequest) (findings, error), move func(name string) M) func(context.Context, activities.PlanRequest) (plan.Page[M], error) {
	return func(_ context.Context, request activities.PlanRequest) (p plan.Page[M], err error) {
		f, err := find(request)
		p.Checked, p.UpToDate, p.Reached, p.Left, p.Failed = f.checked, f.upToDate, f.reached, f.left, f.failed
		p.Warning, p.Paused = f.warning, f.paused
		for _, name := range f.moves {
			p.Moves = append(p.Moves, move(name))
		}
		return p, err
	}
}

// onBothSides runs a test of what is the same for both.
func onBothSides(t *testing.T, test func(t *testing.T, role string)) {
	t.Helper()
	for role := range bothSides {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			test(t, role)
		})
	}
}

// branches is a side on which that many have to move, from p0 on in their order.
func branches(n int) func(activities.PlanRequest) (findings, error) {
	return func(r activities.PlanRequest) (findings, error) {
		from := int(r.After)
		to := min(from+r.Size, n)
		f := findings{checked: to - from, reached: turn.Position(to), left: n - to}
		for i := from; i < to; i++ {
			f.moves = append(f.moves, fmt.Sprintf("p%d", i))
		}
		return f, nil
	}
}

// executeAs runs a parent as a server would have it that says more of it than a test's environment can.
func executeAs(env *testsuite.TestWorkflowEnvironment, role string, in contract.CycleInput, say func(*workflow.Info)) {
	intercept(env, &told{say: say})
	env.ExecuteWorkflow(bothSides[role].parent, in)
}

func intercept(env *testsuite.TestWorkflowEnvironment, t *told) {
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{t}, DeadlockDetectionTimeout: noDeadlock})
}

// told changes what workflows are told of themselves, and notes what they start.
type told struct {
	interceptor.WorkerInterceptorBase
	say   func(*workflow.Info)
	start func(activity string, options workflow.ActivityOptions)
}

func (i *told) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &toldInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}, i}
}

type toldInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	*told
}

func (i *toldInbound) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&toldOutbound{interceptor.WorkflowOutboundInterceptorBase{Next: outbound}, i.told})
}

type toldOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	*told
}

func (o *toldOutbound) GetInfo(ctx workflow.Context) *workflow.Info {
	info := *o.Next.GetInfo(ctx)
	info.OriginalRunID = info.WorkflowExecution.RunID
	if o.say != nil {
		o.say(&info)
	}
	return &info
}

func (o *toldOutbound) ExecuteActivity(ctx workflow.Context, activity string, args ...any) workflow.Future {
	if o.start != nil {
		o.start(activity, workflow.GetActivityOptions(ctx))
	}
	return o.Next.ExecuteActivity(ctx, activity, args...)
}

// cron is how a cron's runs are told.
func cron(info *workflow.Info) { info.CronSchedule = "@every 1h" }

// runToEnd runs a whole cycle, through all the runs that it continues as, and returns how it ended. Each run is prepared.
func runToEnd(t *testing.T, role string, in contract.CycleInput, prepare func(env *testsuite.TestWorkflowEnvironment)) (report contract.Report, runs int) {
	t.Helper()
	start := time.Now()
	for {
		runs++
		env := environment(t)
		env.SetStartTime(start)
		if in.Continuation != nil {
			env.SetContinuedExecutionRunID("the run before")
		}
		prepare(env)
		executeAs(env, role, in, nil)
		start = env.Now()
		err := env.GetWorkflowError()
		if again, ok := errors.AsType[*workflow.ContinueAsNewError](err); ok {
			require.Less(t, len(again.Input.GetPayloads()[0].GetData()), temporalLimit*3/4)
			in = contract.CycleInput{}
			require.NoError(t, fromPayloads(again.Input, &in))
			continue
		}
		if failure, ok := errors.AsType[*temporal.ApplicationError](err); ok {
			require.Equal(t, plan.KindSyncsFailed, failure.Type())
			require.NoError(t, failure.Details(&report))
			return report, runs
		}
		require.NoError(t, err)
		require.NoError(t, env.GetWorkflowResult(&report))
		return report, runs
	}
}

// temporalLimit is what Temporal takes as one payload, in bytes.
const temporalLimit = 2 << 20

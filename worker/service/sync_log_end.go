package service

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

type loggedWorkflow struct {
	interceptor.WorkflowInboundInterceptorBase
	*syncLog
}

// Init implements [interceptor.WorkflowInboundInterceptor].
func (w *loggedWorkflow) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return w.Next.Init(&destinationOfSyncs{interceptor.WorkflowOutboundInterceptorBase{Next: out}})
}

type destinationOfSyncs struct {
	interceptor.WorkflowOutboundInterceptorBase
}

// GetLogger implements [interceptor.WorkflowOutboundInterceptor].
func (d *destinationOfSyncs) GetLogger(ctx workflow.Context) log.Logger {
	return withDestination(d.Next.GetLogger(ctx), ctx.Value(destinationKey{}))
}

// ExecuteWorkflow does not log in a deferred call: those are made, too, when a worker only puts a workflow out of its memory.
func (w *loggedWorkflow) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	began, destination := workflow.Now(ctx), destinationOf(in.Args)
	span, _ := opentelemetry.SpanFromWorkflowContext(ctx)
	describeSpan(span, destination, nil)
	result, err := w.Next.ExecuteWorkflow(workflow.WithValue(ctx, destinationKey{}, destination), in)
	var continues *workflow.ContinueAsNewError
	if workflow.IsReplaying(ctx) || errors.As(err, &continues) {
		return result, err
	}
	describeSpan(span, destination, err)
	info := workflow.GetInfo(ctx)
	end := workflowEnd{w.syncLog, w.log.With(attributes(destination, info.WorkflowExecution, span)...), workflow.Now(ctx), workflow.Now(ctx).Sub(began)}
	switch cycle, isCycle := first(in.Args).(contract.CycleInput); {
	case isCancelled(orNone(err)):
		end.log.Info("Cancelled", "workflow", info.WorkflowType.Name, seconds(end.took))
	case isCycle:
		end.took = workflow.Now(ctx).Sub(cycle.Began(began))
		end.cycle(cycle, result, err)
	case destination != "":
		end.sync(destination, result, err)
	case err != nil:
		kind, reason := contract.FailureOf(err)
		end.failure(plan.Failure{Subject: info.WorkflowType.Name, Kind: kind, Reason: reason})
	}
	return result, err
}

func first(args []any) any {
	if len(args) == 0 {
		return nil
	}
	return args[0]
}

// workflowEnd is the end of a workflow.
type workflowEnd struct {
	*syncLog
	log  *slog.Logger // with what the workflow is about
	at   time.Time
	took time.Duration
}

func (e workflowEnd) sync(destination string, result any, err error) {
	if err != nil {
		kind, reason := contract.FailureOf(err)
		e.failure(plan.Failure{Subject: destination, Kind: kind, Reason: reason})
		return
	}
	var summary string
	var size int64
	var pause *fleet.Pause
	switch r := result.(type) {
	case activities.Uploaded:
		summary, size, pause = r.Summary, r.Size, r.Pause
	case activities.Pushed:
		summary, size, pause = r.Summary, r.Size, r.Pause
	}
	if pause != nil { // it is what it was before
		e.log.Info("Left alone", "summary", summary, seconds(e.took))
		return
	}
	e.known.forget(destination)
	e.log.Info("Synced", "summary", summary, "bytes", size, seconds(e.took))
}

// cycle logs the end of a cycle. Its report is in its result, or in its error.
func (e workflowEnd) cycle(in contract.CycleInput, result any, err error) {
	report, _ := result.(contract.Report)
	failure, failed := errors.AsType[*temporal.ApplicationError](err)
	hasReport := err == nil || failed && failure.Type() == plan.KindSyncsFailed && failure.Details(&report) == nil
	if in.DryRun {
		e.log.Debug("Planned", "planned", len(report.Planned), "failed", report.Count(), seconds(e.took))
		return
	}
	if !hasReport {
		kind, reason := contract.FailureOf(err)
		e.failure(plan.Failure{Subject: e.role.Parent, Kind: kind, Reason: reason})
		return
	}
	for _, f := range report.Failed {
		if !saidByItself(f) {
			e.failure(f, subject(f))
		}
	}
	level := slog.LevelDebug
	if complete := len(in.Only) == 0; complete {
		level = slog.LevelInfo
		if report.FailedMore == 0 {
			e.known.retain(func(subject string) bool {
				return slices.ContainsFunc(report.Failed, func(f plan.Failure) bool { return f.Subject == subject })
			})
		}
	}
	e.log.Log(context.Background(), level, "Cycle finished",
		"checked", report.Checked, "up_to_date", report.UpToDate, "synced", len(report.Synced)+report.SyncedMore, "failed", report.Count(),
		"running", len(report.Running)+report.RunningMore, "deferred", report.Deferred, "pruned", len(report.Pruned)+report.PrunedMore, "bytes", report.Bytes, seconds(e.took))
	if report.Warning != "" {
		e.log.Warn(report.Warning)
	}
}

// saidByItself tells whether a failure is that of a sync whose workflow has ended and said so, on whatever worker.
func saidByItself(f plan.Failure) bool {
	return f.Workflow != "" && f.Kind != plan.KindChildFailed && f.Kind != plan.KindRollbackNotUsed
}

// failure says a failure, once while it stays the same. The log has what it is about, unless that is in about.
func (e workflowEnd) failure(f plan.Failure, about ...any) {
	level := slog.LevelDebug
	if e.known.isNews(f.Subject, f.Kind, e.at) {
		level = slog.LevelError
	}
	e.log.With(about...).Log(context.Background(), level, "Failed", keyKind, f.Kind, "error", f.Reason, seconds(e.took))
}

// subject is what a failure of a report is about: a sync, or something of the side as a whole.
func subject(f plan.Failure) slog.Attr {
	if _, err := project.ParseBranch(f.Subject); err != nil {
		return slog.String("subject", f.Subject)
	}
	return slog.String(keyDestination, f.Subject)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/workflows"
)

// side is what the starter needs to know of a role.
type side struct {
	id        string
	taskQueue string
	workflow  any
	input     func(once) any
}

// once is what may be asked of a single cycle. A cron or schedule asks for nothing.
type once struct {
	dryRun   bool
	limits   workflows.Limits
	rollback []string
}

var sides = map[string]side{
	"producer": {
		id:        workflows.ProducerSyncID,
		taskQueue: workflows.ProducerTaskQueue,
		workflow:  workflows.ProducerSync,
		input: func(o once) any {
			return workflows.ProducerSyncInput{DryRun: o.dryRun, Limits: o.limits}
		},
	},
	"consumer": {
		id:        workflows.ConsumerSyncID,
		taskQueue: workflows.ConsumerTaskQueue,
		workflow:  workflows.ConsumerSync,
		input: func(o once) any {
			return workflows.ConsumerSyncInput{DryRun: o.dryRun, Limits: o.limits, AllowRollback: o.rollback}
		},
	},
}

func run(ctx context.Context, o options) error {
	if o.newKeys != "" {
		return newKeys(o.newKeys)
	}
	side, ok := sides[o.role]
	if !ok {
		return fmt.Errorf("-role is %q, not producer or consumer", o.role)
	}
	every, err := reconcileSleepTime(os.Getenv("RECONCILE_SLEEP_TIME"))
	if err != nil {
		return err
	}
	t, err := dial(ctx)
	if err != nil {
		return err
	}
	defer t.Close()
	switch {
	case o.stop:
		return side.stop(ctx, t)
	case o.dryRun || o.runOnce:
		return side.once(ctx, t, once{dryRun: o.dryRun, rollback: o.rollback})
	case o.schedule:
		return side.schedule(ctx, t, every)
	default:
		return side.cron(ctx, t, every)
	}
}

// once runs a single cycle and prints its report. A second one that is asked for meanwhile
// waits for the first; one that a cron or schedule runs does not hinder it, as the branches' children
// lock out each other.
func (s side) once(ctx context.Context, t client.Client, o once) error {
	id := s.id + "-once"
	if o.dryRun {
		id = s.id + "-plan"
	}
	o.limits.WaitSeconds = int((24 * time.Hour).Seconds())
	run, err := t.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                s.taskQueue,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, s.workflow, s.input(o))
	if err != nil {
		return fmt.Errorf("start %s: %w", id, err)
	}
	var report workflows.Report
	err = run.Get(ctx, &report)
	var failed *temporal.ApplicationError
	if errors.As(err, &failed) && failed.Type() == workflows.KindSyncsFailed {
		if err := failed.Details(&report); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	printReport(report)
	if n := len(report.Failed); n > 0 {
		return fmt.Errorf("%d failed", n)
	}
	return nil
}

func printReport(r workflows.Report) {
	for _, line := range r.Planned {
		fmt.Println("would", line)
	}
	for _, line := range r.Synced {
		fmt.Println("synced", line)
	}
	for _, id := range r.Running {
		fmt.Println("still running", id)
	}
	for _, key := range r.Pruned {
		fmt.Println("deleted", key)
	}
	if r.Warning != "" {
		fmt.Println("warning:", r.Warning)
	}
	for _, f := range r.Failed {
		fmt.Println("failed", strings.ReplaceAll(f.String(), "\n", "\n       "))
	}
	fmt.Println(r)
}

// Package service is the worker of one side: what its environment configures, and what runs until it is told to end.
package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/version"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// execute does what a command asks for, other than to print something, and returns the exit status.
func execute(c command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	mask := foreign.NewMask(config.Secrets(os.Environ())...)
	var err error
	if c.check {
		err = checkReadiness(ctx, os.Environ())
	} else {
		err = run(ctx, c.role, os.Stderr, mask)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", mask.Text(err.Error(), maxLogged))
		return exitFailed
	}
	return 0
}

// run serves until ctx is done.
func run(ctx context.Context, name string, log io.Writer, mask *foreign.Mask) (err error) {
	named, err := contract.RoleOf(name, os.Getenv("PUBLIC_KEY") != "", os.Getenv("PRIVATE_KEY") != "")
	if err != nil {
		return err
	}
	r, err := roles[named.Name](os.Environ())
	if err != nil {
		return err
	}
	logger := newLogger(log, mask, r.Logging).With("role", r.Name)
	logStart(r, os.Environ(), logger)
	options, err := temporalOptions(r.Temporal, logger)
	if err != nil {
		return err
	}
	metrics, err := newMetrics(r.Name, r.Shard)
	if err != nil {
		return err
	}
	traces, err := startTraces(ctx, r, mask, logger)
	if err != nil {
		return err
	}
	defer traces.stop()
	s, err := r.open(ctx, logger)
	if err != nil {
		return err
	}
	options.MetricsHandler = steadyQueue{metrics.handler, s.hostQueue(""), r.TaskQueue + "/own"}
	defer func() { err = errors.Join(err, s.Staging.Close()) }()
	probes := &health{metrics: metrics.page}
	closeProbes, err := probes.listenAll(ctx, r.Endpoints())
	if err != nil {
		return err
	}
	defer closeProbes()
	temporal := temporalWait{options: options, log: logger, waits: probes.waitsFor}.connect(ctx)
	if temporal == nil {
		return nil // it was told to end before
	}
	defer temporal.Close()
	s.LastRuns = activities.LastRuns{Executions: temporal, ID: r.ChildID}
	s.Cycles = activities.Cycles{Temporal: temporal, ID: r.ParentID}
	s.Down = &activities.ServerDown{}
	s.Attributes = &activities.SearchAttributes{Operator: temporal, Namespace: cmp.Or(options.Namespace, client.DefaultNamespace), Names: contract.Attributes()}
	s.Pauses = activities.Pauses{Temporal: temporal, Role: r.Role, Clock: time.Now}
	return (&roleWorker{role: r, dependencies: s, log: logger, mask: mask, metrics: metrics, traces: traces, namespace: cmp.Or(options.Namespace, client.DefaultNamespace)}).serve(ctx, temporal, probes)
}

// logStart says which program this is, and what holds of its configuration.
func logStart(r role, environ []string, logger *slog.Logger) {
	var settings []any
	for _, s := range config.Effective(r.configuration, environ) {
		settings = append(settings, slog.String(s.Name, s.Value))
	}
	logger.Info("Starting", "version", version.Version(), "go", runtime.Version(), slog.Group("configuration", settings...))
	warnUnused(r.Role, environ, logger)
}

// warnUnused names the variables that somebody may have set for a reason, and that have no effect.
func warnUnused(role contract.Role, environ []string, logger *slog.Logger) {
	if notes := config.Unused(role == contract.Consumer, environ); len(notes) > 0 {
		logger.Warn("Not used here: " + strings.Join(notes, "; "))
	}
}

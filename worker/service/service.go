// Package service is the worker of one side: what its environment configures, and what runs until it is told to end.
package service

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// Main does what the arguments say, the program's name first, and returns the exit status.
func Main(args []string) int {
	flags := flag.NewFlagSet(args[0], flag.ExitOnError)
	role := flags.String("role", os.Getenv("SYNC_ROLE"), "side of the partition that the worker serves: `producer` or consumer; by default SYNC_ROLE, or what PUBLIC_KEY or PRIVATE_KEY are for")
	ask := flags.Bool("check", false, "ask the worker that runs here, at HEALTH_ADDRESS, whether it is ready; exit 1 if not")
	_ = flags.Parse(args[1:]) // it exits
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	mask := foreign.NewMask(config.Secrets(os.Environ())...)
	logger := newLogger(os.Stderr, mask)
	var err error
	if *ask {
		err = checkReadiness(ctx, os.Environ())
	} else {
		err = run(ctx, *role, logger, mask)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", mask.Text(err.Error(), maxLogged))
		return 1
	}
	return 0
}

// run serves until ctx is done.
func run(ctx context.Context, name string, logger *slog.Logger, mask *foreign.Mask) error {
	named, err := contract.RoleOf(name, os.Getenv("PUBLIC_KEY") != "", os.Getenv("PRIVATE_KEY") != "")
	if err != nil {
		return err
	}
	r, err := roles[named.Name](os.Environ())
	if err != nil {
		return err
	}
	warnUnused(r.Role, os.Environ(), logger)
	options, err := temporalOptions(r.Temporal, logger)
	if err != nil {
		return err
	}
	metrics, err := newMetrics(r.Name, r.Shard)
	if err != nil {
		return err
	}
	options.MetricsHandler = metrics.handler
	s, err := r.open(ctx, logger)
	if err != nil {
		return err
	}
	temporal, err := client.DialContext(ctx, options)
	if err != nil {
		return errors.Join(fmt.Errorf("connect to temporal at %q: %w", cmp.Or(options.HostPort, client.DefaultHostPort), err), s.Staging.Close())
	}
	defer temporal.Close()
	s.LastRuns = activities.LastRuns{Executions: temporal, ID: r.ChildID}
	s.Cycles = activities.Cycles{Temporal: temporal, ID: r.ParentID}
	return errors.Join((&roleWorker{r, s, logger, mask, metrics}).serve(ctx, temporal), s.Staging.Close())
}

// warnUnused names the variables that somebody may have set for a reason, and that have no effect.
func warnUnused(role contract.Role, environ []string, logger *slog.Logger) {
	if notes := config.Unused(role == contract.Consumer, environ); len(notes) > 0 {
		logger.Warn("Not used here: " + strings.Join(notes, "; "))
	}
}

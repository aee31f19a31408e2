// Command worker runs the workflows and activities of one side. It is configured by its
// environment; docs/configuration.md lists the variables.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

func main() {
	role := flag.String("role", os.Getenv("SYNC_ROLE"), "side of the partition that the worker serves: `producer` or consumer; by default SYNC_ROLE, or what PUBLIC_KEY or PRIVATE_KEY are for")
	ask := flag.Bool("check", false, "ask the worker that runs here, at HEALTH_ADDRESS, whether it is ready; exit 1 if not")
	flag.Parse()
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
		os.Exit(1)
	}
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
	options, err := temporalOptions(r.Temporal, logger)
	if err != nil {
		return err
	}
	var metrics http.Handler
	if options.MetricsHandler, metrics, err = newMetrics(r.Name); err != nil {
		return err
	}
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
	return errors.Join((&roleWorker{r, s, logger, mask, metrics}).serve(ctx, temporal), s.Staging.Close())
}

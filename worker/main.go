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
	"os"
	"os/signal"
	"syscall"

	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
)

func main() {
	role := flag.String("role", "", "side of the partition that the worker serves: `producer` or consumer")
	ask := flag.Bool("check", false, "ask the worker that runs here, at HEALTH_ADDRESS, whether it is ready; exit 1 if not")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	mask := foreign.NewMask(config.Secrets(os.Environ())...)
	logger := newLogger(os.Stderr, mask)
	var err error
	if *ask {
		err = check(ctx, os.Getenv("HEALTH_ADDRESS"))
	} else {
		err = run(ctx, *role, logger, mask)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", mask.Text(err.Error(), maxLogged))
		os.Exit(1)
	}
}

// run serves until ctx is done.
func run(ctx context.Context, role string, logger *slog.Logger, mask *foreign.Mask) error {
	var open func(context.Context, []string, *slog.Logger) (*side, error)
	switch role {
	case "producer":
		open = openProducer
	case "consumer":
		open = openConsumer
	default:
		return fmt.Errorf("-role is %q, not producer or consumer", role)
	}
	side, err := open(ctx, os.Environ(), logger)
	if err != nil {
		return err
	}
	side.mask = mask
	options, err := temporalOptions(side.environ, logger)
	if err != nil {
		return errors.Join(err, side.staging.Close())
	}
	if options.MetricsHandler, side.metrics, err = newMetrics(role); err != nil {
		return errors.Join(err, side.staging.Close())
	}
	temporal, err := client.DialContext(ctx, options)
	if err != nil {
		return errors.Join(fmt.Errorf("connect to temporal at %q: %w", cmp.Or(options.HostPort, client.DefaultHostPort), err), side.staging.Close())
	}
	defer temporal.Close()
	return errors.Join(side.serve(ctx, temporal), side.staging.Close())
}

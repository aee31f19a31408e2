package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/staging"
	"github.com/app-sre/git-partition-sync/standalone/devserver"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// patience is how long a program that was told to end may take, besides the time that a worker drains.
const patience = 10 * time.Second

// side is the side that is run.
type side struct {
	config.Standalone

	role      contract.Role
	environ   []string // of the worker and the starter
	workDir   string
	drain     time.Duration
	address   string // of the Temporal that is configured; empty when there is none
	namespace string
}

// newSide reads the whole configuration, so that what is wrong is said before anything is started.
func newSide(name string, environ []string) (*side, error) {
	role, err := contract.RoleOf(name, os.Getenv("PUBLIC_KEY") != "", os.Getenv("PRIVATE_KEY") != "")
	if err != nil {
		return nil, err
	}
	s := &side{role: role, environ: append(environ, "SYNC_ROLE="+role.Name)}
	var common config.Common
	if role.Name == contract.Producer.Name {
		c, problem := config.LoadProducer(environ)
		common, err = c.Common, problem
	} else {
		c, problem := config.LoadConsumer(environ)
		common, err = c.Common, problem
	}
	if err != nil {
		return nil, err
	}
	if s.Standalone, err = config.LoadStandalone(environ); err != nil {
		return nil, err
	}
	temporal, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: common.Temporal})
	if err != nil {
		return nil, fmt.Errorf("temporal configuration: %w", err)
	}
	s.environ = append(s.environ, "RECONCILE_SLEEP_TIME="+s.Every.String()) // the starter takes it as it is
	s.workDir, s.drain = common.WorkDir, common.DrainTimeout
	s.address, s.namespace = temporal.HostPort, cmp.Or(temporal.Namespace, client.DefaultNamespace)
	if s.address == "" && (temporal.ConnectionOptions.TLS != nil || temporal.Credentials != nil) {
		return nil, errors.New("TEMPORAL_API_KEY or TEMPORAL_TLS is set, but not the TEMPORAL_ADDRESS that they are for")
	}
	return s, nil
}

// runOnce runs one cycle, which prints its report.
func (s *side) runOnce(ctx context.Context) error {
	// Nothing is kept: a schedule of an earlier run on this work directory would start cycles of its own.
	return s.withWorker(ctx, false, func(needed ...program) error {
		cycle, err := s.start("starter", "run")
		if err != nil {
			return err
		}
		return cycle.wait(ctx, patience, needed...)
	})
}

// serve runs cycles until ctx is done.
func (s *side) serve(ctx context.Context) error {
	err := s.withWorker(ctx, true, func(needed ...program) error {
		// The first time, this starts a cycle as well. A schedule that is there stays as it is but for its interval: it may be paused.
		schedule, err := s.start("starter", "schedule", "create")
		if err != nil {
			return err
		}
		if err := schedule.wait(ctx, patience, needed...); err != nil {
			return err
		}
		worker, others := needed[0], needed[1:]
		if err := worker.wait(ctx, s.drain+patience, others...); err != nil {
			return err
		}
		return worker.endedByItself()
	})
	if errors.Is(err, errInterrupted) {
		return nil // that is how it ends
	}
	return err
}

// withWorker does something while a worker runs and, where none is configured, a Temporal, which keeps what it knows if that is
// said: do is given the programs that have to run meanwhile, the worker first.
func (s *side) withWorker(ctx context.Context, keep bool, do func(needed ...program) error) error {
	var needed []program
	if s.address == "" {
		folder, err := staging.OwnFolder(s.workDir, "temporal")
		if err != nil {
			return fmt.Errorf("WORKDIR: %w", err)
		}
		var kept *database
		if keep {
			if kept, err = openDatabase(filepath.Join(folder, s.role.Name+".db")); err != nil {
				return fmt.Errorf("WORKDIR: %w", err)
			}
			defer kept.close()
		}
		server, err := s.startTemporal(ctx, folder, kept)
		if err != nil {
			return err
		}
		defer server.Close()
		needed = append(needed, program{"temporal", server.Process})
	}
	worker, err := s.start("worker", "-role", s.role.Name)
	if err != nil {
		return err
	}
	defer func() { _ = worker.Stop(s.drain + patience) }()
	return do(append([]program{worker}, needed...)...)
}

// startTemporal runs a Temporal, and tells the worker and the starter where. Without a database it keeps nothing.
func (s *side) startTemporal(ctx context.Context, folder string, kept *database) (*devserver.Server, error) {
	path, err := findTemporal()
	if err != nil {
		return nil, fmt.Errorf("TEMPORAL_ADDRESS is not set, and there is no Temporal to run: %w: set it, or use the image that has one (docs/standalone.md)", err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(s.TemporalPort))
	probe, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w: set STANDALONE_TEMPORAL_PORT to a port that is free, or TEMPORAL_ADDRESS if that is a Temporal that may be used", err)
	}
	_ = probe.Close()
	o := devserver.Options{
		Program: path, Address: address, UI: string(s.UI), Namespaces: []string{s.namespace},
		Environ: serverEnviron(folder), Log: os.Stderr, Level: "error",
	}
	if kept != nil {
		o.Database = kept.file
	}
	server, err := devserver.Start(ctx, o)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, errInterrupted
	case err != nil && kept != nil:
		return nil, fmt.Errorf("temporal: %w: if it says above that something is wrong with its database, as on a full disk, delete %q: only the history is lost", err, kept.file)
	case err != nil:
		return nil, fmt.Errorf("temporal: %w", err)
	}
	if kept != nil {
		if err := kept.markServed(); err != nil {
			server.Close()
			return nil, fmt.Errorf("WORKDIR: %w", err)
		}
	}
	s.environ = append(s.environ, "TEMPORAL_ADDRESS="+address)
	s.linkToUI()
	return server, nil
}

// linkToUI has the worker and the starter link to the UI that is served here, unless it is said that people find it elsewhere.
func (s *side) linkToUI() {
	if elsewhere, _ := config.Environ(s.environ).LookupEnv("TEMPORAL_UI_URL"); elsewhere == "" && s.UI != "" {
		s.environ = append(s.environ, "TEMPORAL_UI_URL="+s.UI.URL())
	}
}

// serverEnviron is what the server needs to know, which is no secret. It wants to know who runs it, and a container has no list of
// users; and it finds nobody's configuration in a home that is its own.
func serverEnviron(folder string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "USER=git-partition-sync", "HOME=" + folder, "TMPDIR=" + folder}
}

// check says what would be done, once or until ctx is done.
func (s *side) check(ctx context.Context, once bool) error {
	for {
		check, err := s.start("starter", "check")
		if err != nil {
			return err
		}
		err = check.wait(ctx, patience)
		switch {
		case once:
			return err
		case errors.Is(err, errInterrupted):
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(s.Every):
		}
	}
}

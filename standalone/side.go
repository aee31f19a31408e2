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
	"golang.org/x/sys/unix"

	"github.com/app-sre/git-partition-sync/internal/config"
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
	folder    string   // of what the Temporal keeps that it runs
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
	s.folder, s.drain = filepath.Join(common.WorkDir, "temporal"), common.DrainTimeout
	s.address, s.namespace = temporal.HostPort, cmp.Or(temporal.Namespace, client.DefaultNamespace)
	if s.address == "" && (temporal.ConnectionOptions.TLS != nil || temporal.Credentials != nil) {
		return nil, errors.New("TEMPORAL_API_KEY or TEMPORAL_TLS is set, but not the TEMPORAL_ADDRESS that they are for")
	}
	return s, nil
}

// runOnce runs one cycle, which prints its report.
func (s *side) runOnce(ctx context.Context) error {
	// Nothing is kept: a schedule of an earlier run on this work directory would start cycles of its own.
	return s.withWorker(ctx, "", func(needed ...program) error {
		cycle, err := s.start("starter", "run")
		if err != nil {
			return err
		}
		return cycle.wait(ctx, patience, needed...)
	})
}

// serve runs cycles until ctx is done.
func (s *side) serve(ctx context.Context) error {
	database := filepath.Join(s.folder, s.role.Name+".db")
	err := s.withWorker(ctx, database, func(needed ...program) error {
		// The first time, this starts a cycle as well. A schedule that is there stays as it is but for its interval: it may be paused.
		schedule, err := s.start("starter", "schedule", "create")
		if err != nil {
			return err
		}
		if err := schedule.wait(ctx, patience, needed...); err != nil {
			return err
		}
		worker, others := needed[0], needed[1:]
		err = worker.wait(ctx, s.drain+patience, others...)
		if err == nil {
			err = errors.New("the worker ended by itself")
		}
		return err
	})
	if errors.Is(err, errInterrupted) {
		return nil // that is how it ends
	}
	return err
}

// withWorker does something while a worker runs and, where none is configured, a Temporal: do is given the programs that
// have to run meanwhile, the worker first.
func (s *side) withWorker(ctx context.Context, database string, do func(needed ...program) error) error {
	var needed []program
	if s.address == "" {
		if err := os.MkdirAll(s.folder, 0o700); err != nil {
			return fmt.Errorf("WORKDIR: %w", err)
		}
		if database != "" {
			lock, err := lockDatabase(database)
			if err != nil {
				return fmt.Errorf("WORKDIR: %w", err)
			}
			defer lock.Close()
		}
		server, err := s.startTemporal(ctx, database)
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

// startTemporal runs a Temporal, and tells the worker and the starter where.
func (s *side) startTemporal(ctx context.Context, database string) (*devserver.Server, error) {
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
	server, err := devserver.Start(ctx, devserver.Options{
		Program: path, Address: address, UI: string(s.UI), Database: database, Namespaces: []string{s.namespace},
		Environ: serverEnviron(s.folder), Log: os.Stderr, Level: "error",
	})
	if err != nil {
		return nil, fmt.Errorf("temporal: %w", err)
	}
	s.environ = append(s.environ, "TEMPORAL_ADDRESS="+address)
	return server, nil
}

// lockDatabase keeps the database for this program, until the file is closed: SQLite would let another server write into it.
func lockDatabase(database string) (*os.File, error) {
	f, err := os.OpenFile(database+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s, which another side on its own seems to use: %w", f.Name(), err)
	}
	return f, nil
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

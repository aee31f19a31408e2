package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	enums "go.temporal.io/api/enums/v1"

	"github.com/app-sre/git-partition-sync/internal/child"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

const startTimeout = time.Minute

// drainTimeout is longer than a worker's own, after which it gives up what is still running.
const drainTimeout = 40 * time.Second

// names are those that a role has in its Temporal.
var names = map[Role]contract.Role{Producer: contract.Producer, Consumer: contract.Consumer}

// Worker is the running worker of a side.
type Worker struct {
	*child.Process
}

// Stop asks the worker to drain, and fails when it does not exit with status 0. One that was
// killed is no error.
func (w *Worker) Stop() error {
	select {
	case <-w.Exited():
		return nil
	default:
		return w.Process.Stop(drainTimeout)
	}
}

func (s *Stack) startWorkers(ctx context.Context) error {
	if s.options.WithoutWorkers {
		return nil
	}
	for _, role := range Roles {
		if err := s.StartWorker(ctx, role); err != nil {
			return err
		}
	}
	return nil
}

// StartWorker starts a side's worker, in place of one that has ended, and returns when
// it takes work. Of its environment, what is given here replaces what Options and WorkerEnviron have; a name without a value takes
// the variable out.
func (s *Stack) StartWorker(ctx context.Context, role Role, environ ...string) error {
	part := string(role) + "-worker"
	log, err := s.openLog(part)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(s.Binaries.Worker, "-role", string(role))
	cmd.Env = replaced(replaced(s.WorkerEnviron(role), s.options.Environ[role]), environ)
	cmd.Stdout, cmd.Stderr = log, log
	process, err := child.Start(cmd)
	if err != nil {
		return s.withLog(part, err)
	}
	s.Workers[role] = &Worker{process}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := process.Await(ctx, func(ctx context.Context) error { return s.isPolling(ctx, role) }); err != nil {
		return s.withLog(part, err)
	}
	s.started(string(role)+" worker", fmt.Sprintf("process %d", process.PID()), func() error { return nil })
	return nil
}

func replaced(environ, replacements []string) []string {
	for _, replacement := range replacements {
		name, _, set := strings.Cut(replacement, "=")
		environ = slices.DeleteFunc(environ, func(s string) bool { return strings.HasPrefix(s, name+"=") })
		if set {
			environ = append(environ, replacement)
		}
	}
	return environ
}

var errNotPolling = errors.New("the worker does not poll its task queue")

// isPolling recognises the worker by its identity, which begins with its process ID: the
// server remembers pollers of the past.
func (s *Stack) isPolling(ctx context.Context, role Role) error {
	queue, err := s.Temporal.Clients[role].DescribeTaskQueue(ctx, names[role].TaskQueue, enums.TASK_QUEUE_TYPE_ACTIVITY)
	if err != nil {
		return err
	}
	for _, poller := range queue.GetPollers() {
		if strings.HasPrefix(poller.GetIdentity(), fmt.Sprintf("%d@", s.Workers[role].PID())) {
			return nil
		}
	}
	return errNotPolling
}

// pollPatience is how long a worker may leave its task queue alone that still runs: a poll lasts for a minute.
const pollPatience = 70 * time.Second

// HasWorker tells whether anything works for a side: the worker that was started here, or another one that somebody has started since.
func (s *Stack) HasWorker(ctx context.Context, role Role) (bool, error) {
	select {
	case <-s.Workers[role].Exited():
	default:
		return true, nil
	}
	queue, err := s.Temporal.Clients[role].DescribeTaskQueue(ctx, names[role].TaskQueue, enums.TASK_QUEUE_TYPE_ACTIVITY)
	if err != nil {
		return false, err
	}
	for _, poller := range queue.GetPollers() {
		ended := strings.HasPrefix(poller.GetIdentity(), fmt.Sprintf("%d@", s.Workers[role].PID()))
		if !ended && time.Since(poller.GetLastAccessTime().AsTime()) < pollPatience {
			return true, nil
		}
	}
	return false, nil
}

// WriteWorkerScript writes a program that runs a worker of a side, for a person to start one, and returns its path. Only the
// person may read it: it has the side's secrets.
func (s *Stack) WriteWorkerScript(role Role) (string, error) {
	worker, err := filepath.Abs(s.Binaries.Worker)
	if err != nil {
		return "", err
	}
	var script strings.Builder
	script.WriteString("#!/bin/sh\nexec env -i")
	for _, variable := range replaced(s.WorkerEnviron(role), s.options.Environ[role]) {
		fmt.Fprintf(&script, " \\\n  %s", shellQuoted(variable))
	}
	fmt.Fprintf(&script, " \\\n  %s -role %s\n", shellQuoted(worker), role)
	path := filepath.Join(s.options.Dir, string(role)+"-worker")
	return path, os.WriteFile(path, []byte(script.String()), 0o700)
}

func shellQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Starter runs the starter for a side and returns what it prints. The error tells its exit
// status (*exec.ExitError).
func (s *Stack) Starter(ctx context.Context, role Role, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.Binaries.Starter, append([]string{"-role", string(role)}, args...)...)
	cmd.Env = append(s.temporalEnviron(role), "RECONCILE_SLEEP_TIME="+CycleEvery.String())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

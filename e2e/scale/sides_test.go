package scale_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/projects"
	"github.com/app-sre/git-partition-sync/internal/testserver/rusage"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// sides are both sides with real servers, of which all but Temporal are watched.
type sides struct {
	testing.TB
	*stack.Stack
	watches
	syncs   []project.Sync
	workers map[stack.Role][]*stack.Worker
}

// begin starts both sides, each with a worker, which has these variables in its environment besides.
func begin(t testing.TB, syncs int, environ ...string) sides {
	t.Helper()
	rusage.Need(t)
	s := sides{TB: t, watches: newWatches(t), workers: map[stack.Role][]*stack.Worker{}}
	settings := s.environ()
	for _, role := range stack.Roles {
		settings[role] = append(settings[role], environ...)
	}
	var err error
	s.Stack, err = stack.Start(t.Context(), stack.Options{Dir: filepath.Join(t.TempDir(), "stack"), Binaries: binaries, Environ: settings})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stack.Close()) })
	s.lead(t, s.Stack)
	for _, role := range stack.Roles {
		s.workers[role] = []*stack.Worker{s.Workers[role]}
	}
	s.syncs = projects.Populate(t, s.Stack, syncs)
	projects.Configure(t, s.Stack, s.syncs)
	return s
}

// addWorkers adds a worker to either side.
func (s sides) addWorkers() {
	s.Helper()
	for _, role := range stack.Roles {
		added, err := s.AddWorker(s.Context(), role)
		require.NoError(s, err)
		s.workers[role] = append(s.workers[role], added)
	}
}

// meter measures all processes. What the consumer's servers use while the producer is at work, and the other way round, is not much.
func (s sides) meter() meter {
	m := meter{
		processes: map[string][]int{"temporal": {s.Temporal.PID()}, "S3": {s.S3.PID()}},
		others:    map[string]func(testing.TB) time.Duration{"git": rusage.ChildrenCPU},
	}
	for _, role := range stack.Roles {
		for _, w := range s.workers[role] {
			m.processes[string(role)] = append(m.processes[string(role)], w.PID())
		}
	}
	m.take = s.watches.take
	return m
}

// cycles runs those of both sides.
func (s sides) cycles() cycles {
	return cycles{
		TB: s, clients: s.Temporal.Clients, meter: s.meter(), syncs: len(s.syncs),
		inSync: func() int { return projects.InSync(s, s.Stack, s.syncs) },
	}
}

// move adds a commit to the first syncs.
func (s sides) move(n, number int) {
	s.Helper()
	for _, sync := range s.syncs[:n] {
		projects.AddCommit(s, s.Source, sync.Source, number)
	}
}

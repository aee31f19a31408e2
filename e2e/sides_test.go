package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// sides are both sides, which a test has for itself until it ends.
type sides struct {
	testing.TB
	*stack.Stack
	bucket *bucket.Bucket // with the producer's credentials
}

// begin gives a test sides and an empty bucket, and afterwards checks that no run has left files behind.
func begin(t testing.TB) sides {
	t.Helper()
	running, err := stacks.take()
	require.NoError(t, err)
	t.Cleanup(func() { stacks.giveBack(running) })
	s := sidesOf(t, running)
	emptyBucket(s)
	t.Cleanup(func() {
		for _, role := range stack.Roles {
			require.Empty(t, staged(s, role), "the %s's work directory", role)
		}
	})
	return s
}

func sidesOf(t testing.TB, running *stack.Stack) sides {
	t.Helper()
	b, err := running.Bucket(t.Context(), stack.Producer)
	require.NoError(t, err)
	return sides{t, running, b}
}

// run runs a subtest with the sides of the test.
func (t sides) run(name string, test func(t sides)) {
	t.Helper()
	t.TB.(*testing.T).Run(name, func(sub *testing.T) { test(sides{sub, t.Stack, t.bucket}) })
}

// stacks are as many as tests run side by side.
var stacks pool

type pool struct {
	dir      string
	binaries stack.Binaries

	mu        sync.Mutex
	starts    int // also those that failed: each has a folder of its own
	all, idle []*stack.Stack
}

// take returns a stack that nobody uses, and starts one if there is none.
func (p *pool) take() (*stack.Stack, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := len(p.idle) - 1; last >= 0 {
		s := p.idle[last]
		p.idle = p.idle[:last]
		return s, nil
	}
	dir := filepath.Join(p.dir, fmt.Sprintf("stack-%d", p.starts))
	p.starts++
	s, err := stack.Start(context.Background(), stack.Options{Dir: dir, Binaries: p.binaries})
	if err == nil {
		p.all = append(p.all, s)
	}
	return s, err
}

func (p *pool) giveBack(s *stack.Stack) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, s)
}

// close stops all of them. A worker that found a data race says so with its exit status.
func (p *pool) close() error {
	var errs []error
	for _, s := range p.all {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// ErrNotConfigured says that a run's sync is not configured.
var ErrNotConfigured = errors.New("no such sync is configured")

// syncListTTL is how long a worker uses the list of syncs that it has read, so that the many branches of one cycle
// cost the GraphQL server one request.
const syncListTTL = time.Minute

// SyncList lists the wanted syncs.
type SyncList interface {
	Syncs(ctx context.Context) ([]project.Sync, error)
}

// syncCache holds the syncs that may be worked on, as they were listed last.
type syncCache struct {
	mu    sync.Mutex
	read  time.Time
	syncs map[project.Sync]bool
}

// requireConfigured refuses a sync that is not configured. Otherwise anyone who may start workflows could have any
// source that the token can read signed for any destination. If the cached list does not have the sync, it is read
// again.
func (p *Producer) requireConfigured(ctx context.Context, s project.Sync) error {
	p.syncCache.mu.Lock()
	defer p.syncCache.mu.Unlock()
	if p.syncCache.syncs[s] && time.Since(p.syncCache.read) < syncListTTL {
		return nil
	}
	listed, err := p.Syncs.Syncs(ctx)
	if err != nil {
		return fmt.Errorf("is %s configured: %w", s, err)
	}
	p.syncCache.read, p.syncCache.syncs = time.Now(), map[project.Sync]bool{}
	accepted, _ := plan.ValidateSyncs(listed)
	for _, a := range accepted {
		p.syncCache.syncs[a] = true
	}
	if !p.syncCache.syncs[s] {
		return fmt.Errorf("%w: %s", ErrNotConfigured, s)
	}
	return nil
}

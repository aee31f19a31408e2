package activities

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/app-sre/git-partition-sync/graphql"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	// maxSyncs is how many one producer handles.
	maxSyncs = 8_000
	// maxSyncsSize bounds the list as JSON, in bytes: together with what a plan is told besides, it has to fit into the
	// 2 MiB that Temporal allows one payload. Longer names leave room for fewer syncs.
	maxSyncsSize = 1792 << 10
)

// ListSyncs reads the desired syncs from the GraphQL server.
func (p *Producer) ListSyncs(ctx context.Context) ([]project.Sync, error) {
	defer startMeter(ctx, 0).stop()
	syncs, err := p.Syncs.Syncs(ctx)
	if err != nil {
		return nil, err
	}
	if len(syncs) > maxSyncs {
		return nil, fmt.Errorf("%w: %d syncs are configured, more than the %d that one producer handles", graphql.ErrTooLarge, len(syncs), maxSyncs)
	}
	text, err := json.Marshal(syncs)
	if err != nil {
		return nil, err
	}
	if len(text) > maxSyncsSize {
		return nil, fmt.Errorf("%w: the %d syncs that are configured take %d bytes with their names, more than the %d that one producer handles",
			graphql.ErrTooLarge, len(syncs), len(text), maxSyncsSize)
	}
	return syncs, nil
}

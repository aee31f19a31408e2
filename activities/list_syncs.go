package activities

import (
	"context"
	"fmt"

	"github.com/app-sre/git-partition-sync/graphql"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// maxSyncs keeps the list well inside the 2 MiB that Temporal allows one payload.
const maxSyncs = 8_000

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
	return syncs, nil
}

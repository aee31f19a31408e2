package activities

import (
	"context"
	"fmt"

	"github.com/app-sre/git-partition-sync/graphql"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// maxSyncs is how many syncs one producer handles. The limits of package graphql bound the answer before that.
const maxSyncs = 50_000

// listSyncs reads the wanted syncs from the GraphQL server.
func (p *Producer) listSyncs(ctx context.Context) ([]project.Sync, error) {
	syncs, err := p.Syncs.Syncs(ctx)
	if err != nil {
		return nil, err
	}
	if len(syncs) > maxSyncs {
		return nil, fmt.Errorf("%w: %d syncs are configured, more than the %d that one producer handles", graphql.ErrTooLarge, len(syncs), maxSyncs)
	}
	return syncs, nil
}

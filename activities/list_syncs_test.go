package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/graphql"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// More syncs than one producer handles are refused before anything else is done.
func TestTooManySyncsAreRefused(t *testing.T) {
	p := &Producer{Syncs: &listed{syncs: make([]project.Sync, maxSyncs)}}
	_, err := p.listSyncs(t.Context())
	require.NoError(t, err)
	p.Syncs = &listed{syncs: make([]project.Sync, maxSyncs+1)}
	_, err = p.listSyncs(t.Context())
	require.ErrorIs(t, err, graphql.ErrTooLarge)
	require.ErrorContains(t, err, "50001 syncs are configured")
}

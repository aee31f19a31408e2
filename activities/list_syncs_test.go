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

// Who does not know the syncs takes none of them for removed: their objects would be deleted.
func TestSyncsThatAreNotKnown(t *testing.T) {
	t.Parallel()
	p := &Producer{Syncs: &listed{err: graphql.ErrBusy}}
	syncs, err := p.listSyncs(t.Context())
	require.ErrorIs(t, err, graphql.ErrBusy)
	require.Nil(t, syncs)
}

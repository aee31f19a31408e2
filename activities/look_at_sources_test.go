package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// Who knows of a later catalog says nothing by the one that is there, nor nothing at all if there is none.
func TestLookAtAnOldCatalog(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	r.produce()
	look := LookAtSources(r.consumer)
	now := look(t.Context(), SourceStates{})
	require.Nil(t, now.Failure)
	require.Len(t, now.Syncs, 1)
	later := SourceStates{Seen: catalog.Seen{Sequence: now.Seen.Sequence + 1}}
	replayed := look(t.Context(), later)
	require.Equal(t, plan.KindCatalogReplayed, replayed.Failure.Kind)
	require.Contains(t, replayed.Failure.Reason, ", and there was a later one before")
	require.Empty(t, replayed.Syncs)
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), catalog.Key))
	require.Equal(t, plan.KindCatalogMissing, look(t.Context(), later).Failure.Kind)
	require.Nil(t, look(t.Context(), SourceStates{}).Failure, "there may never have been one")
}

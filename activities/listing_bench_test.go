package activities

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// BenchmarkListing reads a bucket of 100,000 keys, 8 of each of 12,500 destinations, and makes their chains. The server, which has them
// in memory, is part of it.
func BenchmarkListing(b *testing.B) {
	const destinations, inChain = 12_500, 8
	keys := make([]string, 0, destinations*inChain)
	for d := range destinations {
		id := object.ID{Destination: project.Branch{Group: "mirror/platform", Name: fmt.Sprintf("project-%05d", d), Branch: "main"}}
		for at := range inChain {
			id.Base, id.Commit = id.Commit, fmt.Sprintf("%040x", d*inChain+at+1)
			key, err := id.Key()
			require.NoError(b, err)
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	bucket := fullBucket(b, len(keys), func(i int) string { return keys[i] })
	b.ReportAllocs()
	for b.Loop() {
		held, err := readBucket(b.Context(), bucket, selection{allow: project.AllowAll()})
		require.NoError(b, err)
		require.Equal(b, int64(len(keys)), int64(held.use.Snapshots.Objects+held.use.Increments.Objects))
		require.NotEmpty(b, held.chains) // those that there is room for: a plan reads the others for its next page
	}
}

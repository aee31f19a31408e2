package plan

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// BenchmarkUploads plans 10,000 syncs of which 100 have moved, after the sources and the bucket were read.
func BenchmarkUploads(b *testing.B) {
	const syncs, moved = 10_000, 100
	var p UploadPlanner
	heads, commits := map[project.Branch]Head{}, map[project.Branch][]string{}
	for i := range syncs {
		s := sync(fmt.Sprintf("project-%05d", i), "main")
		p.Syncs = append(p.Syncs, s)
		heads[s.Source], commits[s.Destination] = Head{Commit: fmt.Sprintf("%040x", i)}, []string{fmt.Sprintf("%040x", i)}
		if i%(syncs/moved) == 0 {
			heads[s.Source] = Head{Commit: fmt.Sprintf("%040x", syncs+i)}
		}
	}
	p.Chains = bucket(commits)
	b.ReportAllocs()
	for b.Loop() {
		page := planUploads(p, heads)
		require.Len(b, page.Moves, moved)
		require.Equal(b, syncs, page.Checked)
	}
}

package chain

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// BenchmarkBuild makes the chains of 100,000 objects: 8 of each of 12,500 destinations.
func BenchmarkBuild(b *testing.B) {
	const destinations, inChain = 12_500, 8
	var objects []object.Stored
	for d := range destinations {
		destination := project.Branch{Group: "mirror/platform", Name: fmt.Sprintf("project-%05d", d), Branch: "main"}
		base := ""
		for at := range inChain {
			o := stored(base, commitName(at), 1<<(20-at), at)
			o.Destination, base = destination, o.Commit
			objects = append(objects, o)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		require.Len(b, Build(objects), destinations)
	}
}

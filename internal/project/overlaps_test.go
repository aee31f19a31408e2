package project_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// The index finds what a comparison of each with each finds.
func TestOverlapIndex(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Custom(drawPattern), 0, 12).Draw(t, "all")
		b := drawPattern(t)
		var want []string
		for _, other := range all {
			if other = other.Identity(); other != b.Identity() && b.Overlaps(other) {
				want = append(want, other.String())
			}
		}
		var got []string
		for other := range project.NewOverlapIndex(slices.Values(all)).Overlapping(b) {
			got = append(got, other.String())
		}
		slices.Sort(want)
		slices.Sort(got)
		require.Equal(t, slices.Compact(want), got)
	})
	for range (project.OverlapIndex{}).Overlapping(named("main")) {
		require.Fail(t, "nothing is in it")
	}
}

package lfs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/packfile"
)

func find(t testing.TB, pack []byte, thin bool) (List, int) {
	t.Helper()
	require.True(t, bytes.HasPrefix(pack, []byte("PACK")))
	list, unresolved, err := FindPointers(t.Context(), bytes.NewReader(pack), int64(len(pack)), thin)
	require.NoError(t, err)
	return list, unresolved
}

// In packs of random histories exactly the pointers are found that git cat-file shows, whatever the deltas are like, and
// stock git-lfs sees no more of them.
func TestNoPointerIsMissed(t *testing.T) {
	t.Parallel()
	histories := uint64(8)
	if testing.Short() {
		histories = 1
	}
	for seed := range histories {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := randomRepository(t, seed, 150)
			depth, window := []string{"1", "4", "50", "4000"}[seed%4], []string{"250", "10", "2"}[seed%3]
			r.git("", "-c", "pack.threads=1", "repack", "-adfq", "--depth="+depth, "--window="+window)
			r.checkComplete()
			r.checkIncrements()
			r.checkGitLFS()
		})
	}
}

func (r repository) checkComplete() {
	r.Helper()
	want := r.truth(names(r.git("", "rev-list", "--objects", "--all")))
	require.Greater(r, len(want), 50)
	for _, options := range [][]string{{"--delta-base-offset"}, {}, {"--delta-base-offset", "--no-reuse-delta", "--window=100", "--depth=10"}} {
		pack := r.git("", append([]string{"pack-objects", "--quiet", "--all", "--revs", "--stdout"}, options...)...)
		got, unresolved := find(r.TB, pack, false)
		require.Zero(r, unresolved, options)
		require.Equal(r, want, got, options)
	}
}

// checkIncrements is about thin packs, as fetches bring them: what cannot be found in them is in the same pack when that
// is complete.
func (r repository) checkIncrements() {
	r.Helper()
	tips := strings.Fields(string(r.git("", "rev-list", "--first-parent", "main")))
	told, asked := 0, 0
	for i := 0; i+1 < len(tips); i += 1 + i%9 {
		tip, base := tips[i], tips[min(len(tips)-1, i+1+i%5)]
		revs := tip + "\n^" + base + "\n"
		had := r.truth(names(r.git("", "rev-list", "--objects", base)))
		for _, options := range [][]string{{"--delta-base-offset"}, {}} {
			options = append([]string{"pack-objects", "--quiet", "--revs", "--stdout"}, options...)
			pack := r.git(revs, append(options, "--thin")...)
			got, unresolved := find(r.TB, pack, true)
			in := r.truth(r.objectsIn(pack))
			if unresolved == 0 {
				told++
				require.Equal(r, in, got, options)
			} else {
				asked++
				require.Subset(r, in, got, "what is found is there")
				pack = r.git(revs, options...)
				got, unresolved = find(r.TB, pack, false)
				require.Zero(r, unresolved)
				require.Equal(r, r.truth(r.objectsIn(pack)), got, options)
				require.Subset(r, got, in, "a complete pack has no less")
			}
			for _, needed := range r.truth(names(r.git("", "rev-list", "--objects", tip))) {
				require.True(r, slices.Contains(got, needed) || slices.Contains(had, needed), "%v is needed", needed)
			}
		}
	}
	r.Logf("thin packs: %d were enough, %d were not", told, asked)
	require.Positive(r, told)
	require.Positive(r, asked)
}

func (r repository) checkGitLFS() {
	r.Helper()
	requireGitLFS(r.TB)
	found := map[string]bool{}
	list, _ := find(r.TB, r.git("", "pack-objects", "--quiet", "--all", "--revs", "--stdout", "--delta-base-offset"), false)
	for _, entry := range list {
		found[entry.OID] = true
	}
	seen := 0
	for line := range strings.Lines(string(r.git("", "lfs", "ls-files", "--all", "--long"))) {
		require.True(r, found[line[:64]], "git-lfs sees %s", line)
		seen++
	}
	require.Greater(r, seen, 50)
}

func TestTooManyPointers(t *testing.T) {
	t.Parallel()
	c := collection{limit: 2 * len(oidA+" 10 missing\n")}
	for range 3 {
		require.NoError(t, c.add([]byte(pointer(oidA, 10))))
		require.NoError(t, c.add([]byte(pointer(oidB, 10))))
		require.NoError(t, c.add([]byte("no pointer")))
	}
	require.ErrorIs(t, c.add([]byte(pointer(oidA, 11))), ErrTooMany)
	require.Equal(t, NewList([]Object{objectA, {OID: oidB, Size: 10}}), c.list())
}

// What is wrong with a pack is told as its reader tells it.
func TestFindPointersRefuses(t *testing.T) {
	t.Parallel()
	list, _, err := FindPointers(t.Context(), strings.NewReader("PACK"), 4, false)
	require.ErrorIs(t, err, packfile.ErrCorrupt)
	require.Nil(t, list)
}

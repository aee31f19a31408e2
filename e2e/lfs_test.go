package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// history gives a project what teams do with large files: versions, copies, renames, deletions, a merge, a tag, and a branch with
// a file that another has, too.
func (w workTree) history() {
	w.Helper()
	w.write("art/logo.bin", 300_000)
	w.write("art/old.bin", 20_000)
	w.write("readme.txt", 500)
	w.push("first")
	w.git("checkout", "--quiet", "-b", "feature")
	w.write("feature.bin", 50_000)
	w.push("a branch")
	w.git("checkout", "--quiet", "main")
	w.git("mv", "art/logo.bin", "logo.bin")
	w.git("rm", "--quiet", "art/old.bin")
	content, err := os.ReadFile(filepath.Join(w.dir, "logo.bin"))
	require.NoError(w, err)
	require.NoError(w, os.WriteFile(filepath.Join(w.dir, "copy.bin"), content, 0o600))
	w.push("renamed, deleted and copied")
	w.git("tag", "--annotate", "--message", "one", "v1")
	w.write("logo.bin", 310_000)
	w.push("changed")
	w.git("merge", "--quiet", "--message", "merged", "feature")
	w.write("one.bin", 1)
	w.push("of one byte")
	w.git("checkout", "--quiet", "-b", "same", "v1")
	w.push("nothing new")
	w.git("checkout", "--quiet", "main")
}

// A history that stock git-lfs has made arrives with all of its files, as single branches and as a set; one more file crosses
// alone, and one that two branches have, once.
func TestLargeFilesArrive(test *testing.T) {
	test.Parallel()
	t := beginLFS(test)
	w := t.newProject("arrive/app")
	w.history()
	t.sync([2]string{"arrive/app@main", "mirror-arrive/app@main"}, [2]string{"arrive/app@same", "mirror-arrive/app@same"},
		[2]string{"arrive/app@refs/*", "mirror-arrive/whole@refs/*"})
	require.NoError(t, t.destination.RefuseMissing("mirror-arrive/whole"))

	before := len(s3Log(t.sides))
	require.Contains(t, cycle(t.sides, stack.Producer), "3 synced, 0 failed")
	all := w.oids()
	require.Len(t, all, 5)
	requireOnce(t.sides, before, 2*len(all)) // each of two projects has them for itself
	require.Contains(t, cycle(t.sides, stack.Consumer), "3 synced, 0 failed")
	t.requireSame(w, "mirror-arrive/app", "main", "same")
	t.requireSame(w, "mirror-arrive/whole", "main", "same", "feature", "v1")
	require.Equal(t, t.source.refs(t, "arrive/app"), t.destination.refs(t, "mirror-arrive/whole"))

	before = len(s3Log(t.sides))
	w.write("another.bin", 5_000)
	w.push("one more")
	require.Contains(t, cycle(t.sides, stack.Producer), "1 up to date, 2 synced")
	requireOnce(t.sides, before, 2)
	require.Contains(t, cycle(t.sides, stack.Consumer), "1 up to date, 2 synced")
	t.requireSame(w, "mirror-arrive/app", "main")

	before = len(s3Log(t.sides))
	w.git("branch", "--force", "same", "main")
	w.git("push", "--quiet", "--force", "origin", "same")
	require.Contains(t, cycle(t.sides, stack.Producer), "1 up to date, 2 synced")
	requireOnce(t.sides, before, 0)
	require.Contains(t, cycle(t.sides, stack.Consumer), "1 up to date, 2 synced")
	t.requireSame(w, "mirror-arrive/app", "main", "same")
}

// requireSame makes sure that a destination has the source's refs, each with the same content in each file, and every large
// file of their past.
func (t lfsSides) requireSame(source workTree, repo string, refs ...string) {
	t.Helper()
	destination := t.clone(t.destination, repo)
	for _, ref := range refs {
		there := ref
		if !strings.HasPrefix(ref, "v") {
			there = "origin/" + ref
		}
		require.Equal(t, source.git("rev-parse", ref), destination.git("rev-parse", there), ref)
		require.Equal(t, source.sums(ref), destination.sums(there), ref)
	}
	source.git("checkout", "--quiet", "main")
	destination.git("lfs", "fetch", "--all")
	destination.git("lfs", "fsck")
}

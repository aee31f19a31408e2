package e2e_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// A file that the source has lost does not stop what needs it: a destination that takes commits without their files gets them,
// and one that does not says so until it has the file.
func TestLargeFileIsMissingAtTheSource(test *testing.T) {
	test.Parallel()
	t := beginLFS(test)
	w := t.newProject("lost/app")
	lost := w.write("lost.bin", 10_000)
	w.write("kept.bin", 10_000)
	w.push("both")
	require.NoError(t, os.Remove(t.source.LFSFile(lost)))
	t.sync([2]string{"lost/app@main", "mirror-lost/lenient@main"}, [2]string{"lost/app@main", "mirror-lost/strict@main"})
	require.NoError(t, t.destination.RefuseMissing("mirror-lost/strict"))

	require.Contains(t, cycle(t.sides, stack.Producer), "2 LFS objects, 10 kB, 1 missing at the source: "+lost)
	out := failingCycle(t.sides, stack.Consumer)
	require.Contains(t, out, "1 synced, 1 failed")
	requireFailed(t.sides, stack.Consumer, consumeID, out, []broken{{"mirror-lost/strict@main", "LFSRequired", "1 missing at the source: " + lost}})
	require.Equal(t, t.source.refs(t, "lost/app"), t.destination.refs(t, "mirror-lost/lenient"))

	w.git("lfs", "push", "--object-id", t.destination.cloneURL("mirror-lost/strict"), lost)
	starter(t.sides, stack.Consumer, "retry", "mirror-lost/strict@main")
	t.requireSame(w, "mirror-lost/strict", "main")
}

// A destination without LFS is told apart, and gets the commits alone if that is what is wanted.
func TestDestinationWithoutLFS(test *testing.T) {
	test.Parallel()
	t := beginLFS(test)
	o := findGitea(t)
	o.WithoutLFS = true
	plain, err := startForge(o, filepath.Join(t.TempDir(), "plain"))
	require.NoError(t, err)
	t.Cleanup(plain.Stop)
	t.destination = &plain
	w := t.newProject("plain/app")
	w.write("a.bin", 10_000)
	w.push("large")
	t.sync([2]string{"plain/app@main", "mirror-plain/app@main"})
	t.restart(stack.Consumer)
	cycle(t.sides, stack.Producer)

	out := failingCycle(t.sides, stack.Consumer)
	requireFailed(t.sides, stack.Consumer, consumeID, out, []broken{{"mirror-plain/app@main", "LFSNotEnabled", ""}})
	require.Contains(t, out, "LFS=false")
	require.Empty(t, plain.refs(t, "mirror-plain/app"))

	t.restart(stack.Consumer, "LFS=false")
	require.Contains(t, cycle(t.sides, stack.Consumer), "1 LFS object left out")
	require.Equal(t, t.source.refs(t, "plain/app"), plain.refs(t, "mirror-plain/app"))
}

// Nothing is looked for where the producer has LFS off: a strict destination is told why it lacks the files.
func TestProducerWithoutLFS(test *testing.T) {
	test.Parallel()
	t := beginLFS(test)
	w := t.newProject("off/app")
	w.write("a.bin", 10_000)
	w.push("large")
	t.sync([2]string{"off/app@main", "mirror-off/app@main"})
	require.NoError(t, t.destination.RefuseMissing("mirror-off/app"))
	t.restart(stack.Producer, "LFS=false")
	before := len(s3Log(t.sides))
	cycle(t.sides, stack.Producer)
	requireOnce(t.sides, before, 0)
	out := failingCycle(t.sides, stack.Consumer)
	requireFailed(t.sides, stack.Consumer, consumeID, out, []broken{{"mirror-off/app@main", "LFSRequired", "the producer has LFS=false"}})
}

// A project that does not exist is created before its files can be sent there.
func TestProjectIsCreatedForLargeFiles(test *testing.T) {
	test.Parallel()
	t := beginLFS(test)
	w := t.newProject("creates/app")
	w.write("a.bin", 10_000)
	w.push("large")
	const destination = mirror + "/created" // of the workers' user, who may create there
	configure(t.sides, [2]string{"creates/app@main", destination + "@main"})
	t.restart(stack.Consumer, "CREATE_PROJECTS=true", "ALLOWED_DESTINATIONS="+mirror+"/*")
	cycle(t.sides, stack.Producer)
	cycle(t.sides, stack.Consumer)
	require.NoError(t, t.destination.AddCollaborator(t.Context(), branch(destination+"@main"), developer, "read"))
	t.requireSame(w, destination, "main")
	require.Equal(t, t.source.refs(t, "creates/app"), t.destination.git(t, destination, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/", "refs/tags/"))
}

// An operator who has the private key gets a large file out of the bucket without this software, and into a repository from a
// bundle.
func TestRecoverLargeFile(test *testing.T) {
	test.Parallel()
	t := beginLFS(test)
	w := t.newProject("recover/large")
	oid := w.write("a.bin", 10_000)
	w.push("large")
	t.sync([2]string{"recover/large@main", "mirror-recover/large@main"})
	cycle(t.sides, stack.Producer)

	dir := t.TempDir()
	plaintext, err := age.Decrypt(bytes.NewReader(get(t, t.bucket, keysOfCommits(t)[0])), t.Identity)
	require.NoError(t, err)
	tar := exec.Command("tar", "x")
	tar.Dir, tar.Stdin = dir, plaintext
	out, err := tar.CombinedOutput()
	require.NoError(t, err, string(out))
	clone := workTree{t, filepath.Join(dir, "clone")}
	runGit(t, dir, t.home, "-c", "filter.lfs.process=git-lfs filter-process --skip", "clone", "--quiet", "repository.bundle", clone.dir)
	require.Contains(t, clone.git("lfs", "ls-files", "--all", "--long"), oid)

	plaintext, err = age.Decrypt(bytes.NewReader(get(t, t.bucket, lfsKey(t, "mirror-recover/large@main", oid))), t.Identity)
	require.NoError(t, err)
	content, err := io.ReadAll(plaintext)
	require.NoError(t, err)
	file := filepath.Join(clone.dir, ".git", "lfs", "objects", oid[:2], oid[2:4], oid)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(file, content, 0o600))
	clone.git("lfs", "checkout")
	require.Equal(t, w.sums("main"), clone.sums("main"))
}

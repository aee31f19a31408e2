package bundle_test

import (
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bundle"
	"github.com/app-sre/git-partition-sync/internal/refset"
)

// list is the state of the repository's refs that a pattern matches, as git shows them.
func (r repo) list(pattern string) refset.List {
	r.t.Helper()
	var refs []refset.Ref
	shown := r.git("for-each-ref", "--format=%(objectname) %(refname) %(*objectname)", "refs/heads/", "refs/tags/")
	for line := range strings.Lines(shown) {
		fields := strings.Fields(line)
		part, ok := set(pattern).Match(fields[1])
		if !ok {
			continue
		}
		ref := refset.Ref{Part: part, Object: fields[0]}
		if len(fields) == 3 {
			ref.Peeled = fields[2]
		}
		refs = append(refs, ref)
	}
	l, err := refset.New(refs)
	require.NoError(r.t, err)
	return l
}

// setBundle writes what the producer writes for a set: our header, and a pack of what the base lacks.
func (r repo) setBundle(pattern string, base, next refset.List) string {
	r.t.Helper()
	d := refset.Diff(base, next)
	header, err := bundle.EncodeSetHeader(set(pattern), d)
	require.NoError(r.t, err)
	var revs strings.Builder
	for _, ref := range d {
		if !ref.IsDeletion() {
			revs.WriteString(ref.Object + "\n")
		}
	}
	for _, ref := range base {
		revs.WriteString("^" + ref.Object + "\n")
	}
	pack, err := r.command(revs.String(), "pack-objects", "--revs", "--thin", "--stdout", "--quiet").Output()
	require.NoError(r.t, err)
	path := filepath.Join(r.t.TempDir(), "repository.bundle")
	require.NoError(r.t, os.WriteFile(path, append(header, pack...), 0o600))
	return path
}

func (r repo) commitFile(content string) {
	r.t.Helper()
	require.NoError(r.t, os.WriteFile(filepath.Join(r.dir, "file"), []byte(content), 0o600))
	r.git("add", "file")
	r.git("commit", "--quiet", "--message", "change")
}

// newProject is a repository with a few branches and tags of both kinds.
func newProject(t *testing.T) repo {
	source := newRepo(t, "main")
	var text strings.Builder // which does not compress well
	for i := range 100 {
		fmt.Fprintf(&text, "%x\n", sha1.Sum([]byte{byte(i)}))
	}
	source.commitFile(text.String())
	source.git("branch", "release/1.x")
	source.git("tag", "light")
	source.git("tag", "--annotate", "--message", "one", "v1")
	source.git("tag", "--annotate", "--message", "a tag of a tag", "nested", "v1")
	return source
}

// refs are all refs of a repository, as git shows them.
func (r repo) refs(prefixes ...string) string {
	r.t.Helper()
	return r.git(append([]string{"for-each-ref", "--format=%(objectname) %(refname)"}, prefixes...)...)
}

func TestGitClonesASet(t *testing.T) {
	t.Parallel()
	source := newProject(t)
	for _, pattern := range []string{"refs/*", "refs/heads/*", "refs/tags/*"} {
		path := source.setBundle(pattern, nil, source.list(pattern))
		source.git("bundle", "verify", "--quiet", path)

		mirror := repo{t, t.TempDir()}
		mirror.git("clone", "--quiet", "--mirror", path, ".")
		require.Equal(t, source.refs(set(pattern).RefPrefixes()...), mirror.refs())
		mirror.git("fsck", "--strict")

		clone := repo{t, t.TempDir()}
		clone.git("clone", "--quiet", path, ".")
		if pattern == "refs/heads/*" {
			require.Equal(t, source.git("rev-parse", "main"), clone.git("rev-parse", "origin/main"))
			continue
		}
		require.Equal(t, source.refs("refs/tags/"), clone.refs("refs/tags/"), "as git always brings tags")
		clone.git("checkout", "--quiet", "v1")
		require.FileExists(t, filepath.Join(clone.dir, "file"))
	}
}

func TestGitFetchesIncrementsOfASet(t *testing.T) {
	t.Parallel()
	source := newProject(t)
	base := source.list("refs/*")
	snapshot := source.setBundle("refs/*", nil, base)
	mirror := repo{t, t.TempDir()}
	mirror.git("clone", "--quiet", "--mirror", snapshot, ".")

	// step brings to the mirror what has become of the source since the base.
	step := func(what string, pruned ...string) (increment string) {
		t.Helper()
		next := source.list("refs/*")
		increment = source.setBundle("refs/*", base, next)
		mirror.git("bundle", "verify", "--quiet", increment)
		mirror.git("fetch", "--quiet", increment, "+refs/*:refs/*")
		for _, ref := range pruned {
			mirror.git("update-ref", "-d", ref) // a bundle cannot say it: the object's refs do
		}
		require.Equal(t, source.refs(), mirror.refs(), what)
		mirror.git("fsck", "--strict")
		base = next
		return increment
	}

	text, err := os.ReadFile(filepath.Join(source.dir, "file"))
	require.NoError(t, err)
	source.commitFile(string(text) + "more\n")
	tip := source.git("rev-parse", "main")
	source.git("tag", "--annotate", "--message", "two", "v2")
	source.git("tag", "--delete", "nested")
	increment := step("new objects", "refs/tags/nested")
	require.Less(t, fileSize(t, increment), fileSize(t, snapshot)/2, "thin")

	source.git("branch", "release/2.x", tip)
	source.git("branch", "--force", "release/1.x", tip)
	source.git("reset", "--quiet", "--hard", "HEAD^")
	step("branches on objects that are there, and one that goes back: the pack is empty")

	source.git("tag", "--delete", "v2")
	increment = step("a deletion alone: the pack is empty, and no ref is listed", "refs/tags/v2")
	require.Empty(t, mirror.git("bundle", "list-heads", increment))
}

func fileSize(t *testing.T, path string) int64 {
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

// The state has the id that the document has git and sha1sum compute, and the same at both sides.
func TestStateIDAsDocumented(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../docs/format.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(document), "without its `*` as `PATTERN`:\n\n```sh\n")
	require.True(t, found)
	script, _, found := strings.Cut(rest, "\n```")
	require.True(t, found)

	source := newProject(t)
	for _, name := range []string{"release-", "release-1", "Release-2", "release-é", "z"} {
		source.git("branch", name)
		source.git("tag", "x/"+name)
	}
	for _, pattern := range []string{"refs/*", "refs/heads/*", "refs/tags/*", "refs/heads/release-*", "refs/tags/x/*"} {
		cmd := source.command("", "--version")
		cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", script}
		cmd.Env = append(cmd.Env, "PATTERN="+strings.TrimSuffix(pattern, "*"))
		out, err := cmd.Output()
		require.NoError(t, err)
		require.Equal(t, source.list(pattern).StateID(), strings.Fields(string(out))[0], pattern)
	}
	source.git("fetch", "--quiet", ".", "refs/tags/x/*:refs/heads/upstream/*")
	require.Equal(t, source.list("refs/tags/x/*").StateID(), source.list("refs/heads/upstream/*").StateID())
}

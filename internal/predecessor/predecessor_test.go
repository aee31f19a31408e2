package predecessor_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/predecessor"
	"github.com/app-sre/git-partition-sync/internal/testserver/oldproducer"
)

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := oldproducer.Git(t.Context(), dir, args...)
	require.NoError(t, err)
	return out
}

// clone makes a repository with the branches main and team/work, and a fresh clone of it.
func clone(t *testing.T, args ...string) (dir string) {
	t.Helper()
	source := filepath.Join(t.TempDir(), "source")
	git(t, t.TempDir(), "init", "--quiet", "--initial-branch", "main", source)
	require.NoError(t, os.WriteFile(filepath.Join(source, "a.txt"), bytes.Repeat([]byte("text\n"), 1000), 0o600))
	require.NoError(t, os.Symlink("a.txt", filepath.Join(source, "link")))
	git(t, source, "add", ".")
	for _, message := range []string{"one", "two"} {
		git(t, source, "commit", "--quiet", "--allow-empty", "-m", message)
	}
	git(t, source, "checkout", "--quiet", "-b", "team/work")
	git(t, source, "commit", "--quiet", "--allow-empty", "-m", "three")
	git(t, source, "checkout", "--quiet", "main")
	dir = filepath.Join(t.TempDir(), "clone")
	git(t, t.TempDir(), append([]string{"clone", "--quiet", "file://" + source, dir}, args...)...)
	return dir
}

func tarOf(t *testing.T, dir string) []byte {
	t.Helper()
	archive, err := oldproducer.Tar(dir)
	require.NoError(t, err)
	return archive
}

func zip(t require.TestingT, content []byte) []byte {
	zipped, err := oldproducer.Zip(content)
	require.NoError(t, err)
	return zipped
}

func wanted(branch string, archive []byte) predecessor.Wanted {
	return predecessor.Wanted{Branch: branch, ObjectSize: int64(len(archive)), Room: func(int64) error { return nil }}
}

// read returns what is found in an archive.
func read(archive []byte, branch string) (commit string, pack []byte, err error) {
	var b bytes.Buffer
	commit, err = predecessor.Read(iotest.OneByteReader(bytes.NewReader(archive)), wanted(branch, archive), &b)
	return commit, b.Bytes(), err
}

func packOf(t *testing.T, clone string) []byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(clone, ".git/objects/pack/*.pack"))
	require.NoError(t, err)
	require.Len(t, names, 1)
	pack, err := os.ReadFile(names[0])
	require.NoError(t, err)
	return pack
}

func TestRead(t *testing.T) {
	t.Parallel()
	dir := clone(t)
	work := git(t, dir, "rev-parse", "origin/team/work")
	unpackRefs(t, dir)
	loose := tarOf(t, dir)
	git(t, dir, "pack-refs", "--all")
	packed := tarOf(t, dir)
	git(t, dir, "branch", "local", "HEAD~1")
	local := git(t, dir, "rev-parse", "local")
	both := tarOf(t, dir)
	gnu := tarBy(t, dir)
	for name, tt := range map[string]struct {
		archive        []byte
		branch, commit string
	}{
		"packed refs":               {packed, "team/work", work},
		"loose refs":                {loose, "team/work", work},
		"only a local branch":       {both, "local", local},
		"another tar, with folders": {gnu, "team/work", work},
	} {
		for form, archive := range map[string][]byte{"gzip": zip(t, tt.archive), "plain": tt.archive} {
			t.Run(name+"/"+form, func(t *testing.T) {
				t.Parallel()
				require.True(t, predecessor.Recognise(archive[:min(len(archive), predecessor.StartSize)]))
				commit, pack, err := read(archive, tt.branch)
				require.NoError(t, err)
				require.Equal(t, tt.commit, commit)
				require.Equal(t, packOf(t, dir), pack)
			})
		}
	}
}

// unpackRefs makes a file of each ref.
func unpackRefs(t *testing.T, dir string) {
	t.Helper()
	refs := git(t, dir, "for-each-ref", "--format=%(objectname) %(refname)", "refs/remotes/origin/main", "refs/remotes/origin/team/work")
	require.NoError(t, os.Remove(filepath.Join(dir, ".git/packed-refs")))
	for line := range strings.Lines(refs) {
		commit, ref, _ := strings.Cut(strings.TrimSpace(line), " ")
		path := filepath.Join(dir, ".git", ref)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(commit+"\n"), 0o600))
	}
}

// tarBy is what GNU tar makes of the .git folder: with folders, and names that begin with "./".
func tarBy(t *testing.T, dir string) []byte {
	t.Helper()
	return command(t, dir, "tar", "-c", "-f", "-", "./.git")
}

// What the clone has of the source's branch counts, and a file rather than a line of packed-refs.
func TestWhichRefCounts(t *testing.T) {
	t.Parallel()
	a, b, c, d := strings.Repeat("a", 40), strings.Repeat("b", 40), strings.Repeat("c", 40), strings.Repeat("d", 40)
	remote, local := "refs/remotes/origin/main", "refs/heads/main"
	pack := file(".git/objects/pack/p.pack", testPack("x"))
	packed := func(lines ...string) member {
		return file(".git/packed-refs", "# pack-refs with: peeled fully-peeled sorted\n"+strings.Join(lines, "\n")+"\n^"+d+"\n")
	}
	tarsOwn := member{header: tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}}
	extended := file(strings.Repeat("long/", 60)+"name", "x")
	extended.header.Format = tar.FormatPAX
	for name, tt := range map[string]struct {
		members []member
		want    string
	}{
		"beside what does not count":  {[]member{tarsOwn, extended, file(".git/shallow", ""), pack, packed(d + " " + local)}, d},
		"a file of the source's":      {[]member{pack, packed(b+" "+remote, d+" "+local), file(".git/"+remote, a+"\n"), file(".git/"+local, c+"\n")}, a},
		"a line of the source's":      {[]member{pack, packed(b+" "+remote, d+" "+local), file(".git/"+local, c+"\n")}, b},
		"a file of the clone's":       {[]member{pack, packed(d + " " + local), file(".git/"+local, c)}, c},
		"a line of the clone's":       {[]member{packed(d + " " + local), pack}, d},
		"longer names are others":     {[]member{pack, packed(a+" "+remote+"-2", b+" "+remote+"/x", d+" "+local), file(".git/"+remote+"-2", "nonsense")}, d},
		"in the work tree are others": {[]member{pack, packed(d + " " + local), file("sub/.git/"+remote, a), file("packed-refs", a+" "+remote)}, d},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			commit, _, err := read(archiveOf(t, tt.members...), "main")
			require.NoError(t, err)
			require.Equal(t, tt.want, commit)
		})
	}
}

// What lacks objects, or may have others than those of the pack, is refused.
func TestIncompleteClonesAreRefused(t *testing.T) {
	t.Parallel()
	change := func(change func(dir string), args ...string) []byte {
		dir := clone(t, args...)
		change(dir)
		return tarOf(t, dir)
	}
	commit := func(dir string) { git(t, dir, "commit", "--quiet", "--allow-empty", "-m", "later") }
	for name, tt := range map[string]struct {
		archive []byte
		want    string
	}{
		"loose objects": {change(commit), "outside of the pack"},
		"two packs": {change(func(dir string) {
			commit(dir)
			git(t, dir, "repack", "-q", "-d")
		}), "more than one pack"},
		"shallow": {change(func(string) {}, "--depth=1"), "shallow"},
		"partial": {change(func(dir string) {
			promisor, err := filepath.Glob(filepath.Join(dir, ".git/objects/pack/*.pack"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(strings.TrimSuffix(promisor[0], "pack")+"promisor", nil, 0o600))
		}), "partial"},
		"alternates": {change(func(dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, ".git/objects/info/alternates"), []byte("/elsewhere\n"), 0o600))
		}), "borrows objects"},
		"no such branch": {change(func(dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, ".git/refs/heads/main")))
			require.NoError(t, os.Remove(filepath.Join(dir, ".git/packed-refs")))
		}), `no branch "main" in it`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := read(zip(t, tt.archive), "main")
			require.ErrorIs(t, err, predecessor.ErrMalformed)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestOursAreNotRecognised(t *testing.T) {
	t.Parallel()
	for name, start := range map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "zeros": make([]byte, 4096),
		"one of ours":         archiveOf(t, file("manifest.json", "{}"), file("repository.bundle", "x")),
		"a tar without .git":  archiveOf(t, file("a", "x"), file("x.git/config", "x"), file("a/.git/config", "x")),
		"a cut first header":  archiveOf(t, file(".git/config", "x"))[:511],
		"half a magic number": {0x1f},
	} {
		require.False(t, predecessor.Recognise(start), name)
	}
	require.True(t, predecessor.Recognise(archiveOf(t, file(".dockerignore", "x"), file(".git/config", "x"))[:2000]))
}

// Errors of those that are read from, written to and asked stay what they are.
func TestOthersErrorsAreKept(t *testing.T) {
	t.Parallel()
	archive := zip(t, archiveOf(t, file(".git/objects/pack/p.pack", testPack(strings.Repeat("x", 100_000))), file(".git/refs/heads/main", strings.Repeat("a", 40))))
	other := errors.New("other")
	for at := 0; at < len(archive); at += 7 {
		r := io.MultiReader(bytes.NewReader(archive[:at]), iotest.ErrReader(other))
		_, err := predecessor.Read(r, wanted("main", archive), io.Discard)
		require.ErrorIs(t, err, other, "at %d", at)
		require.NotErrorIs(t, err, predecessor.ErrMalformed)
	}
	_, err := predecessor.Read(bytes.NewReader(archive), wanted("main", archive), failingWriter{other})
	require.ErrorIs(t, err, other)
	full := wanted("main", archive)
	full.Room = func(size int64) error {
		require.EqualValues(t, len(testPack(strings.Repeat("x", 100_000))), size)
		return other
	}
	_, err = predecessor.Read(bytes.NewReader(archive), full, io.Discard)
	require.ErrorIs(t, err, other)
	require.NotErrorIs(t, err, predecessor.ErrMalformed)
}

// How large a pack may be is a matter of its object's size.
func TestLargePacks(t *testing.T) {
	t.Parallel()
	const object = 100 << 20
	room := errors.New("no room")
	for size, want := range map[int64]error{16*object + 64<<20: room, 16*object + 64<<20 + 1: predecessor.ErrMalformed} {
		var head bytes.Buffer
		require.NoError(t, tar.NewWriter(&head).WriteHeader(&tar.Header{Name: ".git/objects/pack/p.pack", Size: size}))
		_, err := predecessor.Read(&head, predecessor.Wanted{Branch: "main", ObjectSize: object, Room: func(int64) error { return room }}, io.Discard)
		require.ErrorIs(t, err, want, "%d bytes", size)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

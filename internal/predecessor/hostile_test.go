package predecessor_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/predecessor"
)

// member is one of an archive; its header's size is the content's.
type member struct {
	header  tar.Header
	content string
}

func file(name, content string) member { return member{tar.Header{Name: name, Mode: 0o644}, content} }

func archiveOf(t require.TestingT, members ...member) []byte {
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, m := range members {
		m.header.Size = int64(len(m.content))
		require.NoError(t, tw.WriteHeader(&m.header))
		_, err := io.WriteString(tw, m.content)
		require.NoError(t, err)
	}
	require.NoError(t, tw.Close())
	return b.Bytes()
}

// testPack is a pack that says that it has one object.
func testPack(objects string) string {
	body := "PACK\x00\x00\x00\x02\x00\x00\x00\x01" + objects
	sum := sha1.Sum([]byte(body))
	return body + string(sum[:])
}

func command(t *testing.T, dir, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	require.NoError(t, err)
	return out
}

func TestHostileArchivesAreRefused(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("a", 40), strings.Repeat("b", 40)
	pack, ref := file(".git/objects/pack/p.pack", testPack("x")), file(".git/refs/heads/main", a+"\n")
	link := func(name string, kind byte) member {
		return member{header: tar.Header{Name: name, Typeflag: kind, Linkname: "/etc/passwd"}}
	}
	empty := "PACK\x00\x00\x00\x02\x00\x00\x00\x00"
	emptySum := sha1.Sum([]byte(empty))
	for name, tt := range map[string]struct {
		members []member
		want    string
	}{
		"nothing":              {nil, "no pack in it"},
		"no pack":              {[]member{ref}, "no pack in it"},
		"no branch":            {[]member{pack}, `no branch "main" in it`},
		"two packs":            {[]member{pack, file(".git/objects/pack/q.pack", testPack("y")), ref}, "more than one pack"},
		"the same pack twice":  {[]member{pack, pack, ref}, "more than one pack"},
		"another spelling":     {[]member{pack, file("./.git/objects/pack/p.pack", testPack("y")), ref}, "more than one pack"},
		"loose object":         {[]member{pack, ref, file(".git/objects/aa/"+a[:38], "x")}, `object "aa/`},
		"no object's name":     {[]member{pack, ref, file(".git/objects/x", "x")}, `object "x"`},
		"pack further down":    {[]member{pack, ref, file(".git/objects/pack/x/q.pack", "x")}, `object "pack/x/q.pack"`},
		"http alternates":      {[]member{pack, ref, file(".git/objects/info/http-alternates", "x")}, "borrows objects"},
		"not a pack":           {[]member{file(".git/objects/pack/p.pack", strings.Repeat("x", 100)), ref}, "no pack header"},
		"altered pack":         {[]member{file(".git/objects/pack/p.pack", testPack("x")[:13]+"y"+strings.Repeat("z", 19)), ref}, "checksum mismatch"},
		"pack of version 4":    {[]member{file(".git/objects/pack/p.pack", strings.Replace(testPack("x"), "\x02", "\x04", 1)), ref}, "no pack header"},
		"pack of nothing":      {[]member{file(".git/objects/pack/p.pack", ""), ref}, "truncated"},
		"pack without objects": {[]member{file(".git/objects/pack/p.pack", empty+string(emptySum[:])), ref}, "the pack is empty"},
		"ref twice":            {[]member{pack, ref, file(".git/refs/heads/main", b+"\n")}, `"refs/heads/main" twice`},
		"ref twice, alike":     {[]member{pack, ref, file("./.git/refs/heads/main", a+"\n")}, `"refs/heads/main" twice`},
		"symbolic ref":         {[]member{pack, file(".git/refs/heads/main", "ref: refs/heads/other\n")}, "not a full SHA-1"},
		"SHA-256":              {[]member{pack, file(".git/refs/heads/main", strings.Repeat("a", 64)+"\n")}, "not a full SHA-1"},
		"empty ref":            {[]member{pack, file(".git/refs/heads/main", "")}, "not a full SHA-1"},
		"ref with more":        {[]member{pack, file(".git/refs/heads/main", a+"\n"+b+"\n")}, "not a full SHA-1"},
		"huge ref":             {[]member{pack, file(".git/refs/heads/main", strings.Repeat("a", 5000))}, "is of 5000 bytes, limit 4096"},
		"packed-refs twice":    {[]member{pack, file(".git/packed-refs", a+" refs/heads/main\n"), file(".git/packed-refs", b+" refs/heads/main\n")}, "packed-refs twice"},
		"packed ref twice":     {[]member{pack, file(".git/packed-refs", a+" refs/heads/main\n"+b+" refs/heads/main\n")}, `"refs/heads/main" twice`},
		"packed nonsense":      {[]member{pack, file(".git/packed-refs", "nonsense refs/heads/main\n")}, `is at "nonsense"`},
		"packed-refs' line":    {[]member{pack, ref, file(".git/packed-refs", strings.Repeat("x", 10_000))}, "token too long"},
		"symlink":              {[]member{pack, ref, link(".git/objects/pack/q.pack", tar.TypeSymlink)}, "tar type '2'"},
		"symlink as a folder":  {[]member{link(".git", tar.TypeSymlink), pack, ref}, "tar type '2'"},
		"symlink outside":      {[]member{pack, ref, link("x", tar.TypeSymlink)}, "tar type '2'"},
		"hard link":            {[]member{pack, link(".git/refs/heads/main", tar.TypeLink)}, "tar type '1'"},
		"device":               {[]member{pack, ref, link("x", tar.TypeBlock)}, "tar type '4'"},
		"climbs":               {[]member{pack, ref, file("../x", "x")}, `member with the name "../x"`},
		"climbs inside":        {[]member{pack, file(".git/refs/heads/x/../main", a)}, "member with the name"},
		"is above":             {[]member{pack, ref, {header: tar.Header{Name: "..", Typeflag: tar.TypeDir}}}, "member with the name"},
		"absolute":             {[]member{pack, ref, file("/.git/packed-refs", "x")}, `member with the name "/.git/packed-refs"`},
		"double slash":         {[]member{pack, file(".git//refs/heads/main", a)}, "member with the name"},
		"dots":                 {[]member{pack, file("././.git/refs/heads/main", a)}, "member with the name"},
		"below a folder":       {[]member{file("project/.git/objects/pack/p.pack", testPack("x")), file("project/.git/refs/heads/main", a)}, "no pack in it"},
		"as terminals act":     {[]member{pack, ref, file("/\x1b[2J", "x")}, `"/\x1b[2J"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for form, archive := range map[string][]byte{"plain": archiveOf(t, tt.members...), "gzip": zip(t, archiveOf(t, tt.members...))} {
				commit, _, err := read(archive, "main")
				require.ErrorIs(t, err, predecessor.ErrMalformed, form)
				require.ErrorContains(t, err, tt.want, form)
				require.Equal(t, 1, strings.Count(err.Error(), predecessor.ErrMalformed.Error()), "said once")
				require.NotContains(t, err.Error(), "\x1b")
				require.Less(t, len(err.Error()), 400)
				require.Empty(t, commit)
			}
		})
	}
}

// What is cut off anywhere, or has anything behind it, is refused.
func TestArchivesEndWhereTheyEnd(t *testing.T) {
	t.Parallel()
	plain := archiveOf(t, file(".git/objects/pack/p.pack", testPack("x")), file(".git/refs/heads/main", strings.Repeat("a", 40)), file("a", "x"))
	zipped := zip(t, plain)
	_, _, err := read(zipped, "main")
	require.NoError(t, err)
	for n := range zipped {
		_, _, err := read(zipped[:n], "main")
		require.ErrorIs(t, err, predecessor.ErrMalformed, "%d bytes of %d", n, len(zipped))
	}
	altered := bytes.Clone(zipped)
	altered[len(altered)-6] ^= 1
	var unclosed bytes.Buffer
	w := gzip.NewWriter(&unclosed)
	_, err = w.Write(plain)
	require.NoError(t, err)
	require.NoError(t, w.Flush())
	for name, archive := range map[string][]byte{
		"text behind gzip":         append(bytes.Clone(zipped), "x"...),
		"zeros behind gzip":        append(bytes.Clone(zipped), 0),
		"another gzip file":        append(bytes.Clone(zipped), zipped...),
		"an empty gzip file":       append(bytes.Clone(zipped), zip(t, nil)...),
		"text behind the tar":      zip(t, append(bytes.Clone(plain), "x"...)),
		"another tar":              append(bytes.Clone(plain), plain...),
		"many zeros behind it":     append(bytes.Clone(plain), make([]byte, 65<<10)...),
		"many in the gzip file":    zip(t, append(bytes.Clone(plain), make([]byte, 65<<10)...)),
		"checksum of gzip altered": altered,
		"gzip that does not end":   unclosed.Bytes(),
	} {
		_, _, err := read(archive, "main")
		require.ErrorIs(t, err, predecessor.ErrMalformed, name)
	}
	_, _, err = read(append(bytes.Clone(plain), make([]byte, 8<<10)...), "main")
	require.NoError(t, err, "as other tars pad")
}

// zeros is a member of that many zeros, which gzip makes a thousandth of.
func zeros(t *testing.T, name string, size int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	require.NoError(t, err)
	tw := tar.NewWriter(w)
	require.NoError(t, tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size}))
	_, err = io.CopyN(tw, endless{}, size)
	require.NoError(t, err)
	require.NoError(t, tw.Close())
	require.NoError(t, w.Close())
	return b.Bytes()
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// What a small object grows to is bounded, also where it is passed over, and none of it is held in memory.
func TestBombsAreRefused(t *testing.T) {
	const size = 256 << 20
	for name, want := range map[string]string{
		"a":                        "longer than an archive of this size may be",
		".git/index":               "longer than an archive of this size may be",
		".git/objects/pack/p.pack": "the pack is of",
		".git/packed-refs":         "token too long",
		".git/refs/heads/main":     "limit 4096",
	} {
		archive := zeros(t, name, size)
		require.Less(t, len(archive), 4<<20)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		written := &counter{}
		_, err := predecessor.Read(bytes.NewReader(archive), wanted("main", archive), written)
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, predecessor.ErrMalformed, name)
		require.ErrorContains(t, err, want, name)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20), name)
		require.Zero(t, written.n, name)
	}
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// A pack of a terabyte that is a few blocks in the archive.
func TestSparseMembersAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".git/objects/pack"), 0o700))
	pack, err := os.Create(filepath.Join(dir, ".git/objects/pack/p.pack"))
	require.NoError(t, err)
	require.NoError(t, pack.Truncate(1<<40))
	require.NoError(t, pack.Close())
	for _, options := range [][]string{{"--format=gnu"}, {"--format=pax", "--sparse-version=0.0"}, {"--format=pax", "--sparse-version=0.1"}, {"--format=pax", "--sparse-version=1.0"}} {
		archive := command(t, dir, "tar", append(options, "-c", "--sparse", ".git/objects/pack/p.pack")...)
		_, _, err := read(archive, "main")
		require.ErrorIs(t, err, predecessor.ErrMalformed)
		require.Regexp(t, "is sparse|tar type 'S'", err.Error())
	}
}

// Extended headers that never end are bounded like all else.
func TestEndlessHeadersAreRefused(t *testing.T) {
	t.Parallel()
	record := archiveOf(t, member{header: tar.Header{Name: strings.Repeat("long/", 60) + "name", Format: tar.FormatPAX}})
	extended := record[:1024] // a header of extended records, and these
	_, err := predecessor.Read(io.MultiReader(&repeated{extended: extended}), predecessor.Wanted{Branch: "main", Room: func(int64) error { return nil }}, io.Discard)
	require.ErrorIs(t, err, predecessor.ErrMalformed)
	require.ErrorContains(t, err, "longer than an archive of this size may be")
}

type repeated struct {
	extended []byte
	at       int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.extended[r.at:])
	r.at = (r.at + n) % len(r.extended)
	return n, nil
}

func FuzzRead(f *testing.F) {
	a := strings.Repeat("a", 40)
	plain := archiveOf(f, file(".git/objects/pack/p.pack", testPack("x")), file(".git/packed-refs", a+" refs/remotes/origin/main\n"), file("a", "x"))
	f.Add(plain, false)
	f.Add(plain, true)
	f.Add(zip(f, plain), false)
	f.Add(archiveOf(f, file("./.git/refs/heads/main", a), file(".git/objects/pack/p.pack", testPack("")), file(".git/shallow", "")), true)
	f.Add(archiveOf(f, file(".git/objects/aa/b", "x")), true)
	f.Fuzz(func(t *testing.T, archive []byte, zipped bool) {
		if zipped {
			archive = zip(t, archive)
		}
		predecessor.Recognise(archive)
		var pack bytes.Buffer
		commit, err := predecessor.Read(bytes.NewReader(archive), wanted("main", archive), &pack)
		if err != nil {
			require.ErrorIs(t, err, predecessor.ErrMalformed)
			require.Empty(t, commit)
			return
		}
		require.Regexp(t, "^[0-9a-f]{40}$", commit)
		body, trailer := pack.Bytes()[:pack.Len()-sha1.Size], pack.Bytes()[pack.Len()-sha1.Size:]
		sum := sha1.Sum(body)
		require.Equal(t, sum[:], trailer)
		require.True(t, bytes.HasPrefix(body, []byte("PACK")))
	})
}

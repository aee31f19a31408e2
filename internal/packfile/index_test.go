package packfile

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/oldproducer"
)

// packed makes a pack of a repository with versions of a few files, as git does with these options. It returns the paths of
// the pack and of git's own index of it.
func packed(t *testing.T, versions [][]byte, options ...string) (pack, index string) {
	t.Helper()
	dir := t.TempDir()
	git := func(args ...string) string {
		out, err := oldproducer.Git(t.Context(), dir, args...)
		require.NoError(t, err)
		return out
	}
	git("init", "--quiet")
	for i, content := range versions {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprint("file", i%3)), content, 0o600))
		git("add", ".")
		git("commit", "--quiet", "-m", fmt.Sprint("version ", i))
	}
	git("tag", "-a", "-m", "tagged", "v1")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "packs"), 0o700))
	git(append(append([]string{"-c", "pack.threads=1"}, "pack-objects", "--quiet", "--all", "--revs"), append(options, "packs/pack")...)...)
	packs, err := filepath.Glob(filepath.Join(dir, "packs", "*.pack"))
	require.NoError(t, err)
	require.Len(t, packs, 1)
	return packs[0], strings.TrimSuffix(packs[0], ".pack") + ".idx"
}

func indexOf(t require.TestingT, pack io.ReadSeeker) []byte {
	x, err := NewIndex(pack)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, x.Encode(&b))
	require.EqualValues(t, b.Len(), x.Size())
	return b.Bytes()
}

// The index is git's, byte for byte, whatever the deltas are like.
func TestIndexIsGits(t *testing.T) {
	t.Parallel()
	var versions [][]byte
	text := strings.Split(strings.Repeat("one line of many\n", 4000), "\n")
	for i := range 60 {
		text[i*60] = fmt.Sprint("changed in ", i)
		versions = append(versions, []byte(strings.Join(text, "\n")))
	}
	for name, options := range map[string][]string{
		"no deltas": {"--depth=0"}, "bases by offset": {"--delta-base-offset"}, "bases by name": nil, "long chains": {"--delta-base-offset", "--depth=4000"},
		"not compressed": {"--compression=0", "--delta-base-offset"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pack, index := packed(t, versions, options...)
			f, err := os.Open(pack)
			require.NoError(t, err)
			defer f.Close()
			want, err := os.ReadFile(index)
			require.NoError(t, err)
			require.Equal(t, want, indexOf(t, f))
		})
	}
}

// stored is an object as a pack has it.
type stored struct {
	kind    byte // 1 commit, 2 tree, 3 blob, 4 tag, 6 delta on an offset, 7 delta on a name
	base    string
	content string
	size    int // as the header says; 0 is the content's
}

// madePack is a pack of these objects.
func madePack(objects ...stored) []byte {
	b := []byte("PACK\x00\x00\x00\x02")
	b = binary.BigEndian.AppendUint32(b, uint32(len(objects)))
	for _, o := range objects {
		size := len(o.content)
		if o.size > 0 {
			size = o.size
		}
		first := o.kind<<4 | byte(size&15)
		if size >>= 4; size > 0 {
			b = binary.AppendUvarint(append(b, first|0x80), uint64(size))
		} else {
			b = append(b, first)
		}
		b = append(b, o.base...)
		var zipped bytes.Buffer
		w := zlib.NewWriter(&zipped)
		io.WriteString(w, o.content)
		w.Close()
		b = append(b, zipped.Bytes()...)
	}
	sum := sha1.Sum(b)
	return append(b, sum[:]...)
}

// blob is the name of one, as a delta on a name has it.
func blob(content string) string {
	name := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content))
	return string(name[:])
}

// appending is a delta that adds to the end of a base of the given size.
func appending(size, result int, added string) string {
	b := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(size)), uint64(result))
	return string(append(b, 0x90, byte(size), byte(len(added)))) + added
}

// Bases may come after what is made of them, and be made of others themselves.
func TestIndexFindsBasesAnywhere(t *testing.T) {
	t.Parallel()
	pack := madePack(
		stored{kind: 7, base: blob("one, two"), content: appending(8, 15, ", three")},
		stored{kind: 7, base: blob("one"), content: appending(3, 8, ", two")},
		stored{kind: 7, base: blob("one"), content: appending(3, 6, ", 2")},
		stored{kind: 3, content: "one"},
		stored{kind: 3, content: ""},
	)
	path := filepath.Join(t.TempDir(), "made.pack")
	require.NoError(t, os.WriteFile(path, pack, 0o600))
	_, err := oldproducer.Git(t.Context(), filepath.Dir(path), "index-pack", path)
	require.NoError(t, err)
	want, err := os.ReadFile(strings.TrimSuffix(path, ".pack") + ".idx")
	require.NoError(t, err)
	require.Equal(t, want, indexOf(t, bytes.NewReader(pack)))
	x, err := NewIndex(bytes.NewReader(pack))
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(pack[len(pack)-20:]), x.Checksum())
}

func TestIndexRefuses(t *testing.T) {
	t.Parallel()
	one := stored{kind: 3, content: "one"}
	whole := madePack(one)
	other := bytes.Clone(whole)
	other[len(other)-1] ^= 1
	for name, tt := range map[string]struct {
		pack []byte
		want error
	}{
		"nothing":                     {nil, ErrCorrupt},
		"cut off":                     {whole[:len(whole)-21], ErrCorrupt},
		"another checksum":            {other, ErrCorrupt},
		"fewer objects than it says":  {repacked(whole, 2), ErrCorrupt},
		"more objects than it says":   {repacked(madePack(one, one), 1), ErrCorrupt},
		"more objects than are taken": {repacked(whole, maxObjects+1), ErrTooLarge},
		"thin":                        {madePack(stored{kind: 7, base: blob("one"), content: appending(3, 8, ", two")}), ErrCorrupt},
		"no such offset":              {madePack(one, stored{kind: 6, base: "\x01", content: appending(3, 8, ", two")}), ErrCorrupt},
		"type that is none":           {madePack(stored{kind: 5, content: "x"}), ErrCorrupt},
		"type 0":                      {madePack(stored{kind: 0, content: "x"}), ErrCorrupt},
		"shorter than its header":     {madePack(stored{kind: 3, content: "one", size: 9}), ErrCorrupt},
		"longer than its header":      {madePack(stored{kind: 3, content: "one", size: 2}), ErrCorrupt},
		"delta of another base":       {madePack(one, stored{kind: 7, base: blob("one"), content: appending(4, 8, ", two")}), ErrCorrupt},
		"delta of nothing":            {madePack(one, stored{kind: 7, base: blob("one")}), ErrCorrupt},
		"delta without a size":        {madePack(one, stored{kind: 7, base: blob("one"), content: "\x03"}), ErrCorrupt},
		"delta that grows":            {madePack(one, stored{kind: 7, base: blob("one"), content: appending(3, maxContents, ", two")}), ErrTooLarge},
		"delta that is short":         {madePack(one, stored{kind: 7, base: blob("one"), content: appending(3, 9, ", two")}), ErrCorrupt},
		"delta on itself":             {madePack(stored{kind: 7, base: strings.Repeat("x", 20), content: appending(3, 8, ", two")}), ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewIndex(bytes.NewReader(tt.pack))
			require.ErrorIs(t, err, tt.want)
			require.Equal(t, tt.want == ErrCorrupt, errors.Is(err, ErrCorrupt), "only one of the two may pass by itself")
		})
	}
}

// repacked is a pack that says that it has another number of objects.
func repacked(pack []byte, objects int) []byte {
	return []byte(repack(string(pack[:8]) + string(binary.BigEndian.AppendUint32(nil, uint32(objects))) + string(pack[12:])))
}

// What is in memory at a time is bounded: bases for as long as deltas on them are left.
func TestIndexBoundsContents(t *testing.T) {
	t.Parallel()
	const limit = 100
	index := func(objects ...stored) error {
		x := indexer{scanner: packfile.NewScanner(bytes.NewReader(madePack(objects...))), contentsLimit: limit}
		_, err := x.index()
		if err == nil {
			require.Zero(t, x.contents, "all are given back")
		}
		return err
	}
	text := func(size int) string { return strings.Repeat("x", size) }
	chain := []stored{{kind: 3, content: text(30)}}
	for size := 30; size < 45; size++ {
		chain = append(chain, stored{kind: 7, base: blob(text(size)), content: appending(size, size+1, "x")})
	}
	require.NoError(t, index(chain...), "a chain is as two of its objects")
	var comb []stored // the last delta comes first
	for size := 30; size < 45; size++ {
		comb = append(comb, stored{kind: 7, base: blob(text(size)), content: appending(size, size+1, "y")})
	}
	comb = append(comb, chain...)
	require.ErrorIs(t, index(comb...), ErrTooLarge, "each object waits for its other delta")
	require.NoError(t, index(stored{kind: 3, content: text(10 * limit)}), "no delta needs it")
	large := stored{kind: 3, content: text(limit + 1)}
	require.ErrorIs(t, index(large, stored{kind: 7, base: blob(large.content), content: appending(limit+1, limit+2, "x")}), ErrTooLarge)
}

// In packs of more than 2 GiB, offsets take eight bytes.
func TestIndexOfLargePacks(t *testing.T) {
	t.Parallel()
	x, want := indexer{}, ""
	for i, offset := range []int64{5 << 32, 12, 1<<31 - 1, 1 << 31} {
		x.entries = append(x.entries, entry{offset: offset, kind: plumbing.BlobObject, hash: plumbing.Hash{byte(i)}, crc: uint32(i)})
		want += fmt.Sprintf("%d %02x%s (%08x)\n", offset, i, strings.Repeat("0", 38), i)
	}
	memory, err := x.memoryIndex(plumbing.Hash{1})
	require.NoError(t, err)
	var index bytes.Buffer
	require.NoError(t, (&Index{memory: memory}).Encode(&index))
	show := exec.CommandContext(t.Context(), "git", "show-index", "--object-format=sha1")
	show.Stdin = &index
	got, err := show.Output()
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

// What reading fails with is told as it is.
func TestIndexTellsWhyReadingFailed(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk error")
	pack := madePack(stored{kind: 3, content: "one"})
	_, err := NewIndex(seekable{io.MultiReader(bytes.NewReader(pack[:20]), iotest.ErrReader(broken))})
	require.Equal(t, broken, err)
}

type seekable struct{ io.Reader }

func (seekable) Seek(int64, int) (int64, error) { return 0, nil }

func FuzzIndex(f *testing.F) {
	f.Add(madePack(stored{kind: 3, content: "one"}, stored{kind: 7, base: blob("one"), content: appending(3, 8, ", two")}))
	f.Add(madePack(stored{kind: 3, content: "one"}, stored{kind: 6, base: "\x0c", content: appending(3, 8, ", two")}))
	f.Fuzz(func(t *testing.T, pack []byte) {
		if len(pack) >= headerSize+sha1.Size {
			pack = []byte(repack(string(pack)))
		}
		x := indexer{scanner: packfile.NewScanner(bytes.NewReader(pack)), contentsLimit: 1 << 20}
		memory, err := x.index()
		if err == nil {
			count, err := memory.Count()
			require.NoError(t, err)
			require.LessOrEqual(t, count, int64(binary.BigEndian.Uint32(pack[8:])))
		}
	})
}

package packfile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/rusage"
)

func TestSearchRefuses(t *testing.T) {
	t.Parallel()
	one := stored{kind: 3, content: "one"}
	whole := madePack(one)
	other := bytes.Clone(whole)
	other[len(other)-1] ^= 1
	delta := func(content string) []byte { return madePack(one, onOffset(0, content, one)) }
	// deeper is a delta on a delta, which is read again only for this one.
	deeper := func(content string) []byte {
		large := onOffset(0, content, one)
		return madePack(one, large, onOffset(1, instructions(20, 2, [2]int{18, 2}), one, large))
	}
	for name, pack := range map[string][]byte{
		"nothing":                       nil,
		"cut off":                       whole[:len(whole)-21],
		"another checksum":              other,
		"fewer objects than it says":    repacked(whole, 2),
		"more objects than it says":     repacked(madePack(one, one), 1),
		"type that is none":             madePack(stored{kind: 5, content: "z"}),
		"type 0":                        madePack(stored{kind: 0, content: "z"}),
		"shorter than its header":       madePack(stored{kind: 3, content: "one", size: 9}),
		"longer than its header":        madePack(stored{kind: 3, content: "one", size: 2}),
		"tree longer than its header":   madePack(stored{kind: 2, content: "one", size: 2}),
		"size of more than 63 bits":     []byte(repack("PACK\x00\x00\x00\x02\x00\x00\x00\x01\xbf\xff\xff\xff\xff\xff\xff\xff\xff\x7f" + string(whole[13:]))),
		"base before the pack":          madePack(one, stored{kind: 6, base: "\xff\x7f", content: appending(3, 8, ", two")}),
		"delta of nothing":              delta(""),
		"delta without a size":          delta("\x03"),
		"delta with a size too long":    delta(strings.Repeat("\xff", 11)),
		"delta of a negative size":      delta("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01\x01z"),
		"and one that is none":          delta(instructions(3, 3, "one") + "\x00"),
		"copy from behind what it says": delta(instructions(2, 2, [2]int{1, 2})),
		"instruction that is none":      delta(instructions(3, 3) + "\x00"),
		"more than its size":            delta(instructions(3, 3, "four")),
		"less than its size":            delta(instructions(3, 5, "four")),
		"copy of more than its size":    delta(instructions(3, 2, [2]int{0, 3})),
		"copy from behind its base":     delta(instructions(3, 3, [2]int{1, 3})),
		"copy of 65,536 bytes":          delta(instructions(1<<20, 3, [2]int{0, 0})),
		"base larger than there is":     delta(instructions(9, 3, [2]int{3, 3})),
		"text that ends too early":      delta(instructions(3, 4, "four")[:4]),
		"copy that ends too early":      delta(instructions(3, 3, [2]int{0, 3})[:5]),
		"too long for what it makes":    delta(instructions(3, 3, "one") + strings.Repeat("\x00", 200)),
		"later: none":                   deeper(instructions(3, 20, "0123456789") + "\x00"),
		"later: ends too early":         deeper(instructions(3, 20, "0123456789")),
		"later: from behind its base":   deeper(instructions(3, 20, "012345678901234567", [2]int{2, 2})),
		"later: larger than there is":   deeper(instructions(9, 20, "012345678901234567", [2]int{5, 2})),
		"later: makes less":             deeper(instructions(3, 17, "01234567890123456")),
		"later: makes more":             deeper(instructions(3, 17, "01234567890123456789")),
		"complete, without its bases":   madePack(stored{kind: 7, base: blob("one"), content: appending(3, 8, ", two")}),
		"complete, on another of them":  madePack(one, stored{kind: 7, base: blob("two"), content: appending(3, 8, ", two")}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var found []string
			_, err := asked(&found).Run(t.Context(), bytes.NewReader(pack), int64(len(pack)))
			require.ErrorIs(t, err, ErrCorrupt)
		})
	}
}

// What reading fails with, what Found fails with, and that nobody waits any more is told as it is.
func TestSearchTellsWhyItFailed(t *testing.T) {
	t.Parallel()
	var found []string
	search := asked(&found)
	one := stored{kind: 3, content: "one"}
	pack := madePack(one, onOffset(0, appending(3, 8, ", two"), one))

	broken := errors.New("disk error")
	for n := range pack {
		_, err := search.Run(t.Context(), cutOff{pack[:n], broken}, int64(len(pack)))
		require.Equal(t, broken, err, "after %d bytes", n)
	}
	search.Found = func([]byte) error { return broken }
	_, err := search.Run(t.Context(), bytes.NewReader(pack), int64(len(pack)))
	require.Equal(t, broken, err)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = search.Run(ctx, bytes.NewReader(pack), int64(len(pack)))
	require.Equal(t, context.Canceled, err)
}

// cutOff fails behind its content.
type cutOff struct {
	content []byte
	err     error
}

func (c cutOff) ReadAt(p []byte, at int64) (int, error) {
	n, err := bytes.NewReader(c.content).ReadAt(p, at)
	if err == io.EOF {
		err = c.err
	}
	return n, err
}

// Whoever makes a pack cannot have a large base inflated any number of times.
func TestSearchBoundsItsWork(t *testing.T) {
	t.Parallel()
	bomb := stored{kind: 3, content: strings.Repeat("z", 1<<20)}
	last := instructions(1<<20, 1, [2]int{1<<20 - 1, 1})
	middle := onOffset(0, instructions(1<<20, 20, [2]int{1<<20 - 20, 20}), bomb)
	pack := madePack(bomb, middle, onOffset(0, last, bomb, middle), onOffset(1, instructions(20, 1, [2]int{19, 1}), bomb, middle, onOffset(0, last, bomb, middle)))
	for budget, want := range map[int64]error{
		1<<20 + 4<<10: nil, // once for both that need it, whether at first or at second hand
		1 << 19:       ErrTooCostly,
		baseWork - 1:  ErrTooCostly,
	} {
		var found []string
		in := asked(&found).begin(bytes.NewReader(pack), bytes.NewReader(pack), nil)
		require.NoError(t, in.pass())
		require.Greater(t, in.budget, int64(freeWork+sizeFactor<<20), "it grows with the pack")
		in.budget = budget
		require.ErrorIs(t, in.resolve(), want)
		if want == nil {
			require.Equal(t, []string{"z", "z"}, found)
			require.Less(t, in.budget, int64(4<<10))
		}
	}

	// Each base costs something, however small it is.
	one := stored{kind: 3, content: "one"}
	pack = madePack(one, onOffset(0, appending(3, 8, ", two"), one))
	var found []string
	in := asked(&found).begin(bytes.NewReader(pack), bytes.NewReader(pack), nil)
	require.NoError(t, in.pass())
	in.budget = baseWork - 1
	require.ErrorIs(t, in.resolve(), ErrTooCostly)
}

// What waits for its bases is resolved before it becomes too much.
func TestSearchResolvesInTime(t *testing.T) {
	t.Parallel()
	base := stored{kind: 3, content: strings.Repeat("0123456789", 100)}
	objects, size := []stored{base}, len(madePack(base))
	for range 3 * maxWaiting / 2 / 1000 {
		next := stored{kind: 6, base: back(size - headerSize - 20), content: instructions(1000, 1000, [2]int{0, 1000})}
		objects = append(objects, next)
		size += len(madePack(next)) - headerSize - 20
	}
	pack := madePack(objects...)
	found := 0
	search := Search{Limit: 1024, Never: func(byte) bool { return false }, Found: func([]byte) error { found++; return nil }}
	in := search.begin(bytes.NewReader(pack), bytes.NewReader(pack), nil)
	require.NoError(t, in.pass())
	require.Greater(t, found, maxWaiting/(blobBytes+1000))
	require.Less(t, len(in.waiting), maxWaiting/(blobBytes+1000))
	require.NoError(t, in.resolve())
	require.Equal(t, len(objects), found)
}

// However large bases are, and from however many places a blob is put together, little is in memory; and what waits is
// resolved again and again.
func TestSearchHoldsLittle(t *testing.T) { // not parallel: it measures
	if testing.Short() {
		t.Skip("makes packs of 10 MB")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(10)) // so that what is measured is in use, and not garbage
	bomb := stored{kind: 3, content: strings.Repeat("z", 64<<20)}
	last := onOffset(0, instructions(64<<20, 1, [2]int{64<<20 - 1, 1}), bomb)
	large := stored{kind: 3, content: strings.Repeat("0123456789abcdef", 4096)}
	scattered, size := []stored{large}, len(madePack(large))
	for i := range 2500 {
		parts := make([]any, 1000)
		for j := range parts {
			parts[j] = [2]int{(i + 61*j) % (4096 * 16), 1}
		}
		scattered = append(scattered, stored{kind: 6, base: back(size - headerSize - 20), content: instructions(4096*16, 1000, parts...)})
		size += len(madePack(scattered[i+1])) - headerSize - 20
	}
	for name, test := range map[string]struct {
		pack  []byte
		found int
		limit int64
	}{
		"a large base":           {madePack(bomb, last), 1, 16 << 20},
		"blobs of single copies": {madePack(scattered...), 2500, 192 << 20},
		"blobs of a byte":        {manyOfAByte(1 << 19), 1<<19 + 1, 96 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			found := 0
			search := Search{
				Limit: 1024,
				Never: func(b byte) bool { return b == 'x' },
				Found: func([]byte) error { found++; return nil },
			}
			debug.FreeOSMemory()
			rusage.ResetPeak(t, os.Getpid())
			before := rusage.PeakMemory(t, os.Getpid())
			_, err := search.run(t.Context(), bytes.NewReader(test.pack), int64(len(test.pack)), nil)
			require.NoError(t, err)
			require.Equal(t, test.found, found)
			used := rusage.PeakMemory(t, os.Getpid()) - before
			t.Logf("%d MB", used/1e6)
			require.Less(t, used, test.limit)
		})
	}
}

// manyOfAByte is a pack with a blob of three bytes, and so many deltas on it that make blobs of one.
func manyOfAByte(count int) []byte {
	delta := stored{kind: 6, content: instructions(3, 1, [2]int{0, 1})}
	member := madePack(delta)[headerSize:]
	pack := madePack(stored{kind: 3, content: "one"})
	pack = pack[:len(pack)-20]
	for range count {
		distance := back(len(pack) - headerSize)
		pack = append(append(append(pack, member[0]), distance...), member[1:len(member)-20]...)
	}
	return repacked(append(pack, make([]byte, 20)...), count+1)
}

func FuzzSearch(f *testing.F) {
	one := stored{kind: 3, content: "one"}
	large := stored{kind: 3, content: strings.Repeat("0123456789", 3000)}
	f.Add(madePack(one, onOffset(0, appending(3, 8, ", two"), one)), false)
	f.Add(madePack(large, onOffset(0, instructions(30_000, 11, [2]int{29_995, 5}, "-", [2]int{0, 5}), large)), false)
	f.Add(madePack(one, stored{kind: 7, base: blob("one"), content: appending(3, 8, ", two")}), false)
	f.Add(madePack(one, stored{kind: 7, base: blob("one"), content: appending(3, 8, ", two")}), true)
	f.Fuzz(func(t *testing.T, pack []byte, thin bool) {
		if len(pack) >= headerSize+20 {
			pack = []byte(repack(string(pack)))
		}
		var found []string
		search := asked(&found)
		search.Thin = thin
		unresolved, err := search.Run(t.Context(), bytes.NewReader(pack), int64(len(pack)))
		if err != nil {
			require.True(t, errors.Is(err, ErrCorrupt) || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrTooCostly), "%v", err)
			return
		}
		require.True(t, thin || unresolved == 0)
		for _, blob := range found {
			require.Less(t, len(blob), search.Limit)
		}
	})
}

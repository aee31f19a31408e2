package packfile

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// asked is a search for blobs of less than 16 bytes without an 'x'. Those of which not all is known are possible if they
// have no 'y'.
func asked(found *[]string) Search {
	return Search{
		Limit: 16,
		Never: func(b byte) bool { return b == 'x' },
		Possible: func(content []byte, known []bool) bool {
			for i, b := range content {
				if known[i] && b == 'y' {
					return false
				}
			}
			return true
		},
		Found: func(blob []byte) error {
			*found = append(*found, string(blob))
			return nil
		},
	}
}

// onOffset is a delta on the object at this place in a pack of these.
func onOffset(base int, content string, before ...stored) stored {
	start := func(objects []stored) int { return len(madePack(objects...)) - 20 }
	return stored{kind: 6, base: back(start(before) - start(before[:base])), content: content}
}

// back is how far before a delta its base begins, as a pack has it.
func back(n int) string {
	distance := []byte{byte(n & 0x7f)}
	for n >>= 7; n > 0; n >>= 7 { // gitformat-pack(5): each further byte counts from one more on
		n--
		distance = append(distance, byte(n&0x7f)|0x80)
	}
	slices.Reverse(distance)
	return string(distance)
}

// instructions are those of a delta: copies as pairs of offset and length, and texts.
func instructions(base, result int, parts ...any) string {
	b := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(base)), uint64(result))
	for _, part := range parts {
		switch part := part.(type) {
		case string:
			b = append(append(b, byte(len(part))), part...)
		case [2]int:
			b = append(b, 0xff)
			b = binary.LittleEndian.AppendUint32(b, uint32(part[0]))
			b = append(b, byte(part[1]), byte(part[1]>>8), byte(part[1]>>16))
		}
	}
	return string(b)
}

func TestSearchFindsSmallBlobs(t *testing.T) {
	t.Parallel()
	large := stored{kind: 3, content: strings.Repeat("0123456789", 30_000)}
	is := func(content string) stored { return stored{kind: 3, content: content} }
	// middle is a large object that is made of another one: what it has around its middle is new.
	middle := onOffset(0, instructions(300_000, 200_000, strings.Repeat("a", 99), [2]int{5, 199_802}, strings.Repeat("b", 99)), large)
	most := onOffset(0, instructions(300_000, 65_540, [2]int{0, 0}, "last"), large) // 0 stands for 65,536
	elsewhere := stored{kind: 7, base: blob("elsewhere"), content: appending(9, 11, "zz")}
	for name, test := range map[string]struct {
		objects    []stored
		thin       bool
		found      string
		unresolved int
	}{
		"none":                      {},
		"whole ones":                {objects: []stored{is("one"), is(""), is(strings.Repeat("z", 15)), is(strings.Repeat("z", 16)), is("xo")}, found: " one xo zzzzzzzzzzzzzzz"},
		"no blobs":                  {objects: []stored{{kind: 1, content: "one"}, {kind: 2, content: "two"}, {kind: 4, content: "three"}}},
		"delta on a commit":         {objects: []stored{{kind: 1, content: "one"}, onOffset(0, appending(3, 8, ", two"), stored{kind: 1, content: "one"})}},
		"delta":                     {objects: []stored{is("one"), onOffset(0, appending(3, 8, ", two"), is("one"))}, found: "one one, two"},
		"large result":              {objects: []stored{is("one"), onOffset(0, appending(3, 16, ", two, three,"), is("one"))}, found: "one"},
		"of a large base":           {objects: []stored{large, onOffset(0, instructions(300_000, 11, [2]int{299_995, 5}, "-", [2]int{0, 5}), large)}, found: "56789-01234"},
		"the same bytes twice":      {objects: []stored{large, onOffset(0, instructions(300_000, 12, [2]int{4, 4}, [2]int{5, 4}, [2]int{2, 4}), large)}, found: "456756782345"},
		"of a large delta":          {objects: []stored{large, middle, onOffset(1, instructions(200_000, 14, [2]int{97, 7}, [2]int{199_899, 7}), large, middle)}, found: "aa5678956bbbbb"},
		"all of it new":             {objects: []stored{{kind: 7, base: blob("elsewhere"), content: instructions(9, 3, "new")}}, thin: true, found: "new"},
		"a byte that is in none":    {objects: []stored{{kind: 7, base: blob("elsewhere"), content: appending(9, 11, "xx")}}, thin: true},
		"not possible":              {objects: []stored{{kind: 7, base: blob("elsewhere"), content: appending(9, 11, "yy")}}, thin: true},
		"such a byte before it":     {objects: []stored{{kind: 7, base: blob("elsewhere"), content: instructions(9, 6, "x", [2]int{0, 4}, "z")}}, thin: true},
		"of a copy of 65,536 bytes": {objects: []stored{large, most, onOffset(1, instructions(65_540, 8, [2]int{65_532, 8}), large, most)}, found: "2345last"},
		"possible":                  {objects: []stored{elsewhere}, thin: true, unresolved: 1},
		"possible, further down": {objects: []stored{
			elsewhere,
			onOffset(0, instructions(11, 2, [2]int{8, 2}), elsewhere),
			onOffset(0, instructions(11, 2, [2]int{9, 2}), elsewhere, onOffset(0, instructions(11, 2, [2]int{8, 2}), elsewhere)),
		}, thin: true, found: "zz", unresolved: 2},
		"bases by name": {objects: []stored{
			{kind: 7, base: blob("one, two"), content: appending(8, 15, ", three")},
			{kind: 7, base: blob("one"), content: appending(3, 8, ", two")},
			is("one"),
		}, found: "one one, two one, two, three"},
		"bases by name, not looked for": {objects: []stored{
			{kind: 7, base: blob("one"), content: appending(3, 8, ", two")},
			is("one"),
		}, thin: true, found: "one", unresolved: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var found []string
			search := asked(&found)
			search.Thin = test.thin
			pack := madePack(test.objects...)
			unresolved, err := search.Run(t.Context(), bytes.NewReader(pack), int64(len(pack)))
			require.NoError(t, err)
			require.Equal(t, test.unresolved, unresolved)
			slices.Sort(found)
			require.Equal(t, test.found, strings.Join(slices.Compact(found), " "))
		})
	}
}

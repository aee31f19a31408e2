package lfs

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// masked tells of each byte whether it is known: '?' is none that is, and stands for any.
func masked(text string) (content []byte, known []bool) {
	content = []byte(text)
	for _, b := range content {
		known = append(known, b != '?')
	}
	return content, known
}

func TestPossiblePointer(t *testing.T) {
	for _, text := range pointers {
		require.True(t, possiblePointer(masked(text)))
		for at := range len(text) {
			require.True(t, possiblePointer(masked(text[:at]+strings.Repeat("?", len(text)-at))))
			require.True(t, possiblePointer(masked(strings.Repeat("?", at)+text[at:])))
		}
	}
	for name, test := range map[string]struct {
		text string
		want bool
	}{
		"nothing known":             {strings.Repeat("?", 127), true},
		"nothing known, too short":  {strings.Repeat("?", 100), false},
		"OID":                       {strings.Repeat("?", 54) + oidA + "\nsize ?", true},
		"OID in upper case":         {strings.Repeat("?", 54) + strings.ToUpper(oidA) + "\nsize ?", false},
		"OID elsewhere":             {strings.Repeat("?", 30) + oidA + "\nsize ?", false},
		"end of an OID":             {strings.Repeat("?", 54+63) + "3\nsize 1\n", true},
		"size":                      {strings.Repeat("?", 54+64) + "\nsize 12", true},
		"version of something else": {strings.Repeat("?", 100) + `"version": "1.2.4"` + strings.Repeat("?", 100), true},
		"the same at the end":       {strings.Repeat("?", 200) + `"version": "1.2.4"` + "\n}", false},
		"a commit":                  {strings.Repeat("?", 48) + "author A <a@example.com> 1 +0000" + strings.Repeat("?", 30), false},
		"a line of code":            {strings.Repeat("?", 40) + "return x\n" + strings.Repeat("?", 40), false},
		"not ASCII":                 {strings.Repeat("?", 200) + "é", false},
	} {
		require.Equal(t, test.want, possiblePointer(masked(test.text)), name)
	}
}

// What is a pointer is possible, whichever of its bytes are known; and what is known as a whole is one or is none.
func FuzzPossiblePointer(f *testing.F) {
	for _, texts := range []map[string]string{pointers, others} {
		for _, text := range texts {
			f.Add([]byte(text), []byte("\x00\xff\x0f"))
		}
	}
	f.Fuzz(func(t *testing.T, blob, mask []byte) {
		known, all := make([]bool, len(blob)), make([]bool, len(blob))
		for i := range blob {
			known[i], all[i] = len(mask) > 0 && mask[i/8%len(mask)]>>(i%8)&1 == 1, true
		}
		if len(blob) >= MaxPointerSize {
			return
		}
		matches := pointerRegexp.Match(blob)
		require.Equal(t, matches, possiblePointer(blob, all))
		if matches {
			require.True(t, possiblePointer(blob, known))
		}
	})
}

// The longest text of which nothing is known is the most work.
func BenchmarkPossiblePointer(b *testing.B) {
	content, known := masked(strings.Repeat("?", MaxPointerSize-2) + "x")
	for b.Loop() {
		require.False(b, possiblePointer(content, known))
	}
}

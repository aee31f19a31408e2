package foreign_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

func TestLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"  plain\ttext\r\n":                   "plain text",
		"two\n\n lines":                       "two lines",
		"\x1b[31;1mred\x1b[0m":                "red",
		"\x1b]0;title\x07text":                "text",
		"\x1b]8;;http://x\x1b\\link":          "link",
		"\x1b]0;never ended\ntext":            "text",
		"\x1bPdevice\x1b\\text":               "text",
		"\u009b31mred \u009d0;title\x07text":  "red text",
		"\x1bcreset":                          "reset",
		"bell\x07 del\x7f nul\x00 c1\u0081":   "bell del nul c1",
		"bidi\u202e\u2066\u200f\u061c is off": "bidi is off",
		"zero\u200bwidth\ufeff":               "zerowidth",
		"sep\u2028a\u2029b\u0085c":            "sep a b c",
		"tag\U000e0041 var\ufe0f fill\u3164":  "tag var fill",
		"bad\xff utf8":                        "bad utf8",
		"grüße 日本語":                           "grüße 日本語",
		strings.Repeat("ü", 301):              strings.Repeat("ü", 299) + "…",
		strings.Repeat("ü", 300):              strings.Repeat("ü", 300),
	} {
		require.Equal(t, want, foreign.Line(in, 300), "%q", in)
	}
}

func TestTextKeepsBothEnds(t *testing.T) {
	t.Parallel()
	require.Equal(t, "what happened\nwhat to do", foreign.Text(" what happened\x00\r\n\nwhat to do\n", 300))
	long := foreign.Text("what happened\n"+strings.Repeat("words ", 1000)+"\nwhat to do", 100)
	require.Len(t, []rune(long), 100)
	require.True(t, strings.HasPrefix(long, "what happened\nwords"))
	require.Contains(t, long, "\n…\n")
	require.True(t, strings.HasSuffix(long, "\nwhat to do"))
	fits := strings.Repeat("ü", 100)
	require.Equal(t, fits, foreign.Text(fits, 100))
}

func TestWordsKeepFirstAndLastLines(t *testing.T) {
	t.Parallel()
	var w foreign.Transcript
	for n := range 50 {
		fmt.Fprintf(&w, "line %c%c\n", 'a'+n/10, 'a'+n%10)
	}
	lines := w.Lines(nil)
	require.Len(t, lines, 21)
	require.Equal(t, "line aa", lines[0])
	require.Equal(t, "line aj", lines[9])
	require.Equal(t, "… 30 more lines …", lines[10])
	require.Equal(t, "line ea", lines[11])
	require.Equal(t, "line ej", lines[20])
}

// Nothing is left out of what just fits, and it is said when something is.
func TestWordsThatJustFit(t *testing.T) {
	t.Parallel()
	half := strings.Repeat(strings.Repeat("x", 127)+"\n", 64) // 8 KiB, of 32 that are kept
	for _, pieces := range [][]string{{half + half, half + half}, {half, half, half, half}, {half + half + half + half}} {
		var w foreign.Transcript
		for _, piece := range pieces {
			fmt.Fprint(&w, piece)
		}
		require.Contains(t, w.Lines(nil), "… 236 more lines …", "of 256")
		for range 2 {
			fmt.Fprint(&w, strings.Repeat("y", 5_000), "\n")
		}
		require.Contains(t, w.Lines(nil), "… 161 more lines …", "of 128, a gap, 50 and 2")
	}
	var none, short foreign.Transcript
	require.Empty(t, none.Lines(nil))
	fmt.Fprint(&short, strings.Repeat("a\n", 20))
	require.Equal(t, slices.Repeat([]string{"a"}, 20), short.Lines(nil))
}

func TestWordsAreBounded(t *testing.T) {
	t.Parallel()
	var w foreign.Transcript
	fmt.Fprintln(&w, "first")
	for range 100 {
		fmt.Fprint(&w, strings.Repeat("x", 1<<16), "\n\n\r")
	}
	fmt.Fprint(&w, strings.Repeat("y", 1<<16), "\nlast")
	lines := w.Lines(nil)
	require.Equal(t, "first", lines[0])
	require.Equal(t, "last", lines[len(lines)-1])
	require.Less(t, len(strings.Join(lines, "\n")), 2000)
	require.Equal(t, lines, w.Lines(nil), "asked again")
}

// A server that never ends a line, whatever pieces it sends it in, takes no more memory than one that does.
func TestLineWithoutEndIsBounded(t *testing.T) {
	const sent = 64 << 20
	for _, size := range []int{1 << 10, 60_000} {
		piece := bytes.Repeat([]byte("x"), size)
		var w foreign.Transcript
		before := heap()
		for range sent / size {
			_, _ = w.Write(piece)
		}
		require.Less(t, heap(), before+sent/16, "in pieces of %d bytes", size)
		lines := w.Lines(nil)
		require.Contains(t, lines, "…")
		require.LessOrEqual(t, len(strings.Join(lines, "\n")), 2000)
	}
}

// heap is what is in use, in bytes.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Git counts objects on one line, which hides what came before from whoever keeps lines.
func TestWordsKeepTheLastStateOfCounters(t *testing.T) {
	t.Parallel()
	var w foreign.Transcript
	for n := range 100 {
		fmt.Fprintf(&w, "Unpacking objects: %3d%% (%d/100)\r", n+1, n+1)
	}
	fmt.Fprint(&w, "\nResolving deltas:   9% (9/100)\rResolving deltas: 100% (100/100)\ntry 1\ntry 2\n")
	require.Equal(t, []string{"Unpacking objects: 100% (100/100)", "Resolving deltas: 100% (100/100)", "try 1", "try 2"}, w.Lines(nil))
}

// A secret that was written in several pieces, or over several lines, is still one; where words were dropped
// in the middle of it, its parts are masked.
func TestWordsAreMasked(t *testing.T) {
	t.Parallel()
	for _, split := range []string{"", "\r", "\n", "\x00"} {
		var w foreign.Transcript
		fmt.Fprint(&w, "sent "+secret[:9])
		fmt.Fprint(&w, split)
		fmt.Fprint(&w, secret[9:]+" to you")
		require.Equal(t, []string{"sent *** to you"}, w.Lines(newMask()), "%q", split)
	}
	for shift := range len(secret) {
		var w foreign.Transcript
		fmt.Fprint(&w, strings.Repeat(".", 16<<10-shift-1)+"\n"+secret)
		fmt.Fprint(&w, strings.Repeat("-", 40<<10)+"\n")
		fmt.Fprint(&w, secret+strings.Repeat("=", 16<<10-shift))
		require.Less(t, len(telling(strings.Join(w.Lines(newMask()), "\n"), secret)), 8)
	}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"group/app@main: moved from 0a1 to 0b2": "group/app@main: moved from 0a1 to 0b2",
		"![x](http://evil/?a&b)":                `\!\[x\](http\://evil/?a\&b)`,
		"<img src=x> **b** _i_ `c` ~d~":         "\\<img src=x\\> \\*\\*b\\*\\* \\_i\\_ \\`c\\` \\~d\\~",
		"# a | b":                               `\# a \| b`,
		`\*`:                                    `\\\*`,
		"- a":                                   `\- a`,
		"+ a":                                   `\+ a`,
		"=":                                     `\=`,
		"12. a":                                 `12\. a`,
		"12) a":                                 `12\) a`,
		"12 a":                                  "12 a",
		".a":                                    ".a",
		")":                                     ")",
		"see www.evil.example":                  `see www\.evil.example`,
	} {
		require.Equal(t, want, foreign.Markdown(in))
	}
}

// What an error says is masked; what it is stays the same.
func TestErrorIsMasked(t *testing.T) {
	t.Parallel()
	refused := fmt.Errorf("refused %s: %w", secret, fs.ErrPermission)
	masked := newMask().Error(refused, 300)
	require.EqualError(t, masked, "refused ***: permission denied")
	require.ErrorIs(t, masked, fs.ErrPermission)
	require.EqualError(t, newMask().Error(refused, 9), "ref\n…\nied")
	require.NoError(t, newMask().Error(nil, 300))
}

func TestQuoteShowsNamesExactly(t *testing.T) {
	require.Equal(t, `"a b"`, foreign.Quote("a b", 10))
	require.Equal(t, `"\x1b[2J\u202e"`, foreign.Quote("\x1b[2J\u202e", 10), "escaped, and not left out")
	require.Equal(t, `"größe"`, foreign.Quote([]byte("größeres"), 5), "characters")
}

func TestCutEndsWithACharacter(t *testing.T) {
	require.Equal(t, "größe", foreign.Cut("größe", 7))
	require.Equal(t, "größe", foreign.Cut("größe", 8))
	require.Equal(t, "gr", foreign.Cut("größe", 3), "in bytes")
	require.Equal(t, "grö", foreign.Cut("größe", 4))
	require.Empty(t, foreign.Cut("größe", -1))
}

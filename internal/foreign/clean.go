package foreign

import (
	"regexp"
	"strings"
	"unicode"
)

var (
	// escapeSequences are terminal control sequences (ECMA-48): CSI, the strings OSC, DCS, SOS, PM and
	// APC, and escapes of two characters.
	escapeSequences = regexp.MustCompile(`\x1b(\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\r\n]*(\x07|\x1b\\)?|.)?`)

	// c1Controls are the same controls as single characters.
	c1Controls = strings.NewReplacer("\u009b", "\x1b[", "\u009d", "\x1b]", "\u0090", "\x1bP", "\u0098", "\x1bX", "\u009e", "\x1b^", "\u009f", "\x1b_")
)

// lineBreaks are what some program or other takes for the end of a line.
const lineBreaks = "\n\r\v\f\u0085\u2028\u2029"

// cleanLines splits a text at all lineBreaks. The lines are UTF-8, not
// empty, and contain only visible characters and single spaces.
func cleanLines(text string) []string {
	text = escapeSequences.ReplaceAllString(c1Controls.Replace(strings.ToValidUTF8(text, "")), "")
	text = strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(lineBreaks, r):
			return '\n'
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r) && !isInvisible(r):
			return r
		}
		return -1 // control, format, bidi, private use, not assigned
	}, text)
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// isInvisible tells characters that unicode counts as printable although they show nothing.
func isInvisible(r rune) bool {
	return unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// IsControl tells characters that a terminal acts on: controls, separators of lines and paragraphs, and those that
// reorder text. No name needs them.
func IsControl(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

package smarthttp

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
)

const (
	maxLine     = 300 // characters of one line of a server's text
	maxMessages = 10  // lines; GitLab frames its reason in some empty ones
)

// Terminal control sequences (ECMA-48: CSI, OSC, and two-character escapes).
var escapes = regexp.MustCompile(`\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)?`)

// clean makes a server's text fit for an error message: one line of at most
// limit characters, without anything that would act on a terminal or reorder
// what it shows.
func clean(text string, limit int) string {
	text = escapes.ReplaceAllString(strings.ToValidUTF8(text, ""), "")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return -1
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit]) + "…"
	}
	return text
}

// messages keeps the last lines of what a server reports while it works.
type messages struct {
	lines   []string
	partial []byte
}

func (m *messages) add(text []byte) {
	for {
		end := bytes.IndexAny(text, "\r\n")
		if end < 0 {
			m.extend(text)
			return
		}
		m.extend(text[:end])
		m.endLine()
		text = text[end+1:]
	}
}

func (m *messages) extend(text []byte) {
	room := 4*maxLine - len(m.partial)
	m.partial = append(m.partial, text[:min(len(text), room)]...)
}

func (m *messages) endLine() {
	line := clean(string(m.partial), maxLine)
	m.partial = m.partial[:0]
	if line == "" {
		return
	}
	if len(m.lines) == maxMessages {
		m.lines = m.lines[1:]
	}
	m.lines = append(m.lines, line)
}

// last returns the lines so far, the unfinished one included.
func (m *messages) last() []string {
	m.endLine()
	return m.lines
}

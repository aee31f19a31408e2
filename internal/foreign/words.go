package foreign

import (
	"fmt"
	"strings"
	"unicode"
)

const (
	maxEndSize    = 16 << 10 // bytes that are kept of each end
	maxLines      = 10       // lines of each end; GitLab frames its reason in some empty ones
	maxLineLength = 300      // characters
)

// Transcript collects what a server says while it works: the beginning and the end of it, whose size
// does not depend on how much that is.
type Transcript struct {
	head, tail []byte
	truncated  bool // something between them was dropped
}

// Write never fails.
func (w *Transcript) Write(p []byte) (int, error) {
	written := len(p)
	room := min(maxEndSize-len(w.head), len(p))
	w.head = append(w.head, p[:room]...)
	p = p[room:]
	if len(p) > maxEndSize {
		p, w.truncated, w.tail = p[len(p)-maxEndSize:], true, w.tail[:0]
	}
	if over := len(w.tail) + len(p) - maxEndSize; over > 0 {
		w.truncated = true
		w.tail = w.tail[:copy(w.tail, w.tail[over:])]
	}
	w.tail = append(w.tail, p...)
	return written, nil
}

// Lines returns the first and the last lines so far, the unfinished one included.
func (w *Transcript) Lines(m *Mask) []string {
	var lines []string
	if w.truncated { // where a secret may have been cut in two
		lines = append(m.lines(w.head), ellipsis)
		lines = append(lines, m.lines(w.tail)...)
	} else {
		lines = m.lines(append(w.head[:len(w.head):len(w.head)], w.tail...))
	}
	if more := len(lines) - 2*maxLines; more > 0 {
		last := lines[len(lines)-maxLines:]
		lines = append(lines[:maxLines:maxLines], fmt.Sprintf("%s %d more lines %s", ellipsis, more, ellipsis))
		lines = append(lines, last...)
	}
	return lines
}

// lines masks the text as a whole: a secret may go over a line's end. Of a percentage that is
// written over and over only the last state is kept.
func (m *Mask) lines(text []byte) (lines []string) {
	for line := range strings.SplitSeq(m.Text(string(text), 2*maxEndSize), "\n") {
		if line = m.Line(line, maxLineLength); line == "" {
			continue
		}
		if n := len(lines); n > 0 && strings.Contains(line, "%") && withoutDigits(lines[n-1]) == withoutDigits(line) {
			lines = lines[:n-1]
		}
		lines = append(lines, line)
	}
	return lines
}

func withoutDigits(line string) string {
	return strings.Join(strings.FieldsFunc(line, func(r rune) bool { return unicode.IsDigit(r) || r == ' ' }), " ")
}

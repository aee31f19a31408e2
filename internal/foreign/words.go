package foreign

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

const (
	maxEndSize    = 16 << 10 // bytes that are kept of each end
	maxLines      = 10       // lines of each end; GitLab frames its reason in some empty ones
	maxLineLength = 300      // characters
)

// Transcript collects what a server says while it works. It keeps the beginning and the end, so its size is bounded.
type Transcript struct {
	head, tail []byte
	truncated  bool // bytes between head and tail were dropped
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

// Lines returns the first and the last lines so far, including an unfinished one.
func (w *Transcript) Lines(m *Mask) []string {
	var lines []string
	if w.truncated { // a secret may have been cut in two there
		lines = slices.Concat(m.lines(w.head), []string{ellipsis}, m.lines(w.tail))
	} else {
		lines = m.lines(slices.Concat(w.head, w.tail))
	}
	if more := len(lines) - 2*maxLines; more > 0 {
		gap := fmt.Sprintf("%s %d more lines %s", ellipsis, more, ellipsis)
		lines = slices.Replace(lines, maxLines, maxLines+more, gap)
	}
	return lines
}

// lines masks the text as a whole, because a secret may span two lines. Of a percentage that is written repeatedly it
// keeps only the last.
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
	return strings.Join(strings.FieldsFunc(line, unicode.IsDigit), "")
}

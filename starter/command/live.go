package command

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// live is a block of lines at the end of a terminal that is drawn anew as things change. What is printed meanwhile goes above it.
type live struct {
	w    io.Writer
	size func() (width, height int)

	mu    sync.Mutex
	lines []string
}

// newLive returns nil if w is no terminal that can move its cursor.
func newLive(w io.Writer) *live {
	f, ok := w.(*os.File)
	if !ok || !isTerminal(w) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return &live{w: w, size: func() (width, height int) {
		width, height, err := term.GetSize(int(f.Fd()))
		if err != nil || width <= 0 || height <= 0 {
			return 80, 24
		}
		return width, height
	}}
}

// show draws these lines in the place of those before.
func (l *live) show(lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out strings.Builder
	l.erase(&out)
	l.draw(&out, lines)
	_, _ = io.WriteString(l.w, out.String())
}

// print has something printed above the block.
func (l *live) print(printTo func(io.Writer)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out strings.Builder
	l.erase(&out)
	printTo(&out)
	l.draw(&out, l.lines)
	_, _ = io.WriteString(l.w, out.String())
}

// erase goes back to the first line of the block and erases from there. Lines that were wrapped since, because the terminal has become
// narrower, count as what they are.
func (l *live) erase(out *strings.Builder) {
	width, _ := l.size()
	rows := 0
	for _, line := range l.lines {
		rows += max(1, (runewidth.StringWidth(line)+width-1)/width)
	}
	if rows > 0 {
		fmt.Fprintf(out, "\x1b[%dA\r\x1b[J", rows)
	}
}

// draw writes as many lines as the terminal has room for, each cut to its width. The last column stays free, where some wrap.
func (l *live) draw(out *strings.Builder, lines []string) {
	width, height := l.size()
	l.lines = nil
	for _, line := range lines[:min(len(lines), max(1, height-1))] {
		line = runewidth.Truncate(line, max(1, width-1), "…")
		l.lines = append(l.lines, line)
		out.WriteString(line + "\n")
	}
}

// cutMiddle cuts a name to a width: its beginning and its end tell it from others.
func cutMiddle(name string, width int) string {
	if runewidth.StringWidth(name) <= width {
		return name
	}
	if width <= 1 {
		return "…"
	}
	head := runewidth.Truncate(name, width/2, "")
	return head + runewidth.TruncatePrefix(name, width-runewidth.StringWidth(head), "…")
}

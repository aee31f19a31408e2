package command

import (
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// widthOf is how many characters a line has; 0 where lines have no end, as in files and pipes.
func widthOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !isTerminal(w) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

const day = 24 * time.Hour

var magnitudes = []humanize.RelTimeMagnitude{
	{D: time.Second, Format: "0 s", DivBy: time.Second},
	{D: 2 * time.Minute, Format: "%d s", DivBy: time.Second},
	{D: 2 * time.Hour, Format: "%d min", DivBy: time.Minute},
	{D: 2 * day, Format: "%d h", DivBy: time.Hour},
	{D: math.MaxInt64, Format: "%d days", DivBy: day},
}

// age is how long it is, or was, from one time to the other, in a few characters; empty if it is not known.
func age(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return humanize.CustomRelTime(t, now, "", "", magnitudes)
}

func ago(t, now time.Time) string { return age(t, now) + " ago" }

// wrap breaks a text into lines of a width, between words. A word that is longer stays whole, to be copied: the terminal breaks it.
func wrap(text string, width int) (lines []string) {
	for line := range strings.SplitSeq(text, "\n") {
		if width <= 0 || runewidth.StringWidth(line) <= width {
			lines = append(lines, line)
			continue
		}
		var now strings.Builder
		length := 0
		for _, word := range strings.Fields(line) {
			size := runewidth.StringWidth(word)
			if length > 0 && length+1+size > width {
				lines = append(lines, now.String())
				now.Reset()
				length = 0
			}
			if length > 0 {
				now.WriteByte(' ')
				length++
			}
			now.WriteString(word)
			length += size
		}
		lines = append(lines, now.String())
	}
	return lines
}

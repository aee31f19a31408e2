package command

import (
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// table lays out rows in columns. The last column is what a row is about: where a line has no room for it, it is on one of its own,
// whole, to be copied.
type table struct {
	width int // of a line; 0 for no end
	rows  []tableRow
}

type tableRow struct {
	cells []string
	style string   // of the first cell: an escape sequence of terminals; empty for none
	below []string // lines of text that belong to the row
}

const (
	columnGap = "  "
	minText   = 30 // characters of a line of text, however narrow the terminal is
)

func (t *table) add(row tableRow) {
	for i, cell := range row.cells {
		row.cells[i] = secrets().Line(cell, maxShownLength)
	}
	t.rows = append(t.rows, row)
}

func (t *table) columns() (widths []int) {
	for _, row := range t.rows {
		for i, cell := range row.cells[:len(row.cells)-1] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], runewidth.StringWidth(cell))
		}
	}
	return widths
}

// print returns the writer's error.
func (t *table) print(w io.Writer) error {
	var out strings.Builder
	widths := t.columns()
	for _, row := range t.rows {
		t.printRow(&out, row, widths)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (t *table) printRow(out *strings.Builder, row tableRow, widths []int) {
	var line strings.Builder
	indent, length := strings.Repeat(" ", widths[0])+columnGap, 0
	for i, width := range widths {
		cell := row.cells[i] + strings.Repeat(" ", width-runewidth.StringWidth(row.cells[i]))
		if i == 0 {
			cell = styled(row.style, cell)
		}
		line.WriteString(cell + columnGap)
		length += width + len(columnGap)
	}
	last := row.cells[len(widths)]
	if t.width > 0 && length+runewidth.StringWidth(last) > t.width {
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n" + indent + last + "\n")
	} else {
		out.WriteString(strings.TrimRight(line.String()+last, " ") + "\n")
	}
	room := 0
	if t.width > 0 {
		room = max(t.width-len(indent), minText)
	}
	for _, text := range row.below {
		for _, line := range wrap(secrets().Text(text, maxShownLength), room) {
			out.WriteString(indent + line + "\n")
		}
	}
}

// Styles of text on terminals (ECMA-48).
const (
	styleGood = "\x1b[32m"   // green
	styleLate = "\x1b[33m"   // yellow
	styleBad  = "\x1b[1;31m" // bold red
	styleDim  = "\x1b[2m"
	styleOff  = "\x1b[0m"
)

func styled(style, text string) string {
	if style == "" {
		return text
	}
	return style + text + styleOff
}

package command

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
)

// stateWord is a state as tables have it.
type stateWord struct {
	state fleet.State
	word  string // in a table
	count string // after a number
	style string
}

// stateWords have the worst first: in this order syncs are listed.
var stateWords = []stateWord{
	{fleet.Failing, "failing", "failing", styleBad},
	{fleet.Never, "never", "never arrived", styleLate},
	{fleet.Behind, "behind", "behind", styleLate},
	{fleet.Paused, "paused", "paused", styleLate},
	{notConfigured, "left", "not in the producer's catalog", styleDim},
	{fleet.InSync, "in sync", "in sync", styleGood},
}

// statusPrinter prints how syncs are, for people.
type statusPrinter struct {
	now      time.Time
	width    int // of a line; 0 for no end
	coloured bool
}

// print prints what is to be known of the side, how many syncs there are in each state, and those that are to be shown.
func (p statusPrinter) print(out io.Writer, side sideStatus, all []syncStatus) error {
	for _, note := range side.notes {
		for _, line := range wrap(secrets().Text(note, maxShownLength), p.width) {
			_, _ = fmt.Fprintln(out, p.style(styleLate, line)) // the table has the error
		}
	}
	_, _ = fmt.Fprintln(out, strings.Join(wrap(p.summary(side, all), p.width), "\n"))
	if err := p.table(side.syncs).print(out); err != nil {
		return err
	}
	return printLFS(out, side.lfs)
}

func (p statusPrinter) style(style, text string) string {
	if !p.coloured {
		return text
	}
	return styled(style, text)
}

func (p statusPrinter) summary(side sideStatus, all []syncStatus) string {
	count, syncs := map[fleet.State]int{}, 0
	for _, b := range all {
		if !b.Side {
			count[b.State]++
			syncs++
		}
	}
	var words []string
	for _, s := range slices.Backward(stateWords) {
		if n := count[s.state]; n > 0 {
			words = append(words, fmt.Sprintf("%s %s", humanize.Comma(int64(n)), s.count))
		}
	}
	text := activities.CountNoun(syncs, "sync", "syncs")
	if len(words) > 0 {
		text += ": " + strings.Join(words, ", ")
	}
	if n := len(all) - syncs; n > 0 {
		text += "; " + activities.CountNoun(n, "failure", "failures") + " of the side as a whole"
	}
	if ended := side.cycle.Ended; !ended.IsZero() {
		text += "; the last cycle of all ended " + ago(ended, p.now)
	}
	return text
}

// table has the worst first. What several syncs in a row say alike is below the last of them.
func (p statusPrinter) table(syncs []syncStatus) *table {
	syncs = slices.Clone(syncs)
	slices.SortFunc(syncs, func(a, b syncStatus) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), strings.Compare(a.alike(), b.alike()), strings.Compare(a.Destination, b.Destination))
	})
	t := &table{width: p.width}
	if len(syncs) > 0 {
		t.add(tableRow{cells: []string{"STATE", "SINCE", "IS AT", "SOURCE", "SIZE", "DESTINATION"}})
	}
	first := 0
	for i, b := range syncs {
		word := stateWords[b.rank()]
		row := tableRow{cells: []string{word.word, p.since(b), b.isAt(), b.sourceIsAt(), size(b.Size), b.Destination}}
		if p.coloured {
			row.style = word.style
		}
		if i+1 == len(syncs) || b.alike() == "" || b.alike() != syncs[i+1].alike() {
			row.below = p.lines(syncs[first : i+1])
			first = i + 1
		}
		t.add(row)
	}
	return t
}

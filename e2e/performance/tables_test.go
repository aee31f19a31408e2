package performance_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dustin/go-humanize"
	"github.com/stretchr/testify/require"
)

const (
	tablesBegin = "<!-- made by make bench: -->\n"
	tablesEnd   = "<!-- end of what make bench made -->\n"
)

// withTables is the document with what is between its marks made anew.
func withTables(document string, all report) (string, error) {
	for name, text := range map[string]string{"goals": goalsTable(all), "tables": tables(all)} {
		begin, end := strings.Replace(tablesBegin, "make bench", "make bench, "+name, 1), strings.Replace(tablesEnd, "make bench", "make bench, "+name, 1)
		before, rest, begins := strings.Cut(document, begin)
		_, after, ends := strings.Cut(rest, end)
		if !begins || !ends {
			return "", fmt.Errorf("%s: there is no %q with a %q after it", documentFile, begin, end)
		}
		document = before + begin + "\n" + text + end + after
	}
	return document, nil
}

func tables(all report) string {
	var text strings.Builder
	for _, l := range workloads() { // in their order
		if r, ok := all.Workloads[l.id]; ok {
			text.WriteString(r.table(l.id))
		}
	}
	return text.String()
}

// table has a row for each way and side, with the medians of all rounds.
func (r *result) table(id string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "### %s\n\n", r.What)
	if r.Pack > 0 {
		fmt.Fprintf(&text, "The pack has %s. ", bytesText(r.Pack))
	}
	fmt.Fprintf(&text, "%s of `%s`, at `%s`, on %s.\n\n", counted(r.Rounds, "round"), id, r.Commit, r.Machine)
	text.WriteString("| | side | wall | CPU | Temporal | git | S3 | peak memory | disk | requests to Git | to the bucket | bytes in | out |\n|" + strings.Repeat("---|", 13) + "\n")
	for _, side := range []string{"producer", "consumer"} {
		for _, w := range r.Ways {
			if w.Side == side {
				text.WriteString(w.row())
			}
		}
	}
	text.WriteString("\n" + r.steps())
	return text.String()
}

func (w way) row() string {
	server, from, to := "source ", "from source", "to bucket"
	if w.Side == "consumer" {
		server, from, to = "destination ", "from bucket", "to destination"
	}
	temporalText := ""
	if w.Way == thisSystem {
		temporalText = secondsText(w.values(func(f figures) float64 { return f.CPU[temporal] }))
	}
	cells := []string{
		strings.Replace(w.Way, thisSystem, "**"+thisSystem+"**", 1), w.Side,
		secondsText(w.values(func(f figures) float64 { return f.Wall })),
		secondsText(w.values(func(f figures) float64 { return f.CPU[own] })), temporalText,
		secondsText(w.values(func(f figures) float64 { return f.CPU[gitPart] })), secondsText(w.values(func(f figures) float64 { return f.CPU[s3Part] })),
		bytesText(w.median(func(f figures) int64 { return f.Peak[own] })), bytesText(w.median(func(f figures) int64 { return f.Disk })),
		fmt.Sprint(w.median(func(f figures) int64 { return f.asked(server) })), fmt.Sprint(w.median(func(f figures) int64 { return f.asked("bucket ") })),
		bytesText(w.median(func(f figures) int64 { return f.Bytes[from] })), bytesText(w.median(func(f figures) int64 { return f.Bytes[to] })),
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

func (w way) values(of func(figures) float64) (values []float64) {
	for _, f := range w.Rounds {
		values = append(values, of(f))
	}
	return values
}

func (w way) median(of func(figures) int64) int64 {
	var values []int64
	for _, f := range w.Rounds {
		values = append(values, of(f))
	}
	return median(values)
}

// asked counts the requests to a server.
func (f figures) asked(server string) (n int64) {
	for kind, count := range f.Requests {
		if strings.HasPrefix(kind, server) {
			n += int64(count)
		}
	}
	return n
}

// steps tells where this system's time goes, by the histories of the last round.
func (r *result) steps() string {
	var text strings.Builder
	for _, side := range []string{"producer", "consumer"} {
		rounds := r.of(thisSystem, side)
		if len(rounds) == 0 || rounds[len(rounds)-1].Cycle == nil {
			continue
		}
		c := rounds[len(rounds)-1].Cycle
		fmt.Fprintf(&text, "- %s: a cycle of %s and %.2f s of waits in %s", side, counted(c.Events, "event"), c.Waits, counted(c.Hops, "hop"))
		if c.ChildEvents > 0 {
			fmt.Fprintf(&text, "; a child of %s and %.2f s in %s", counted(c.ChildEvents, "event"), c.ChildWaits, counted(c.ChildHops, "hop"))
		}
		if c.SmallDone > 0 {
			fmt.Fprintf(&text, "; the last small one was done after %.1f s", c.SmallDone)
		}
		text.WriteString("; " + stepsText(c.Steps))
		if len(c.Local) > 0 {
			text.WriteString("; within workflow tasks `" + strings.Join(c.Local, "`, `") + "`")
		}
		text.WriteString("\n")
	}
	if text.Len() > 0 {
		text.WriteString("\n")
	}
	return text.String()
}

// stepsText lists steps, the longest first.
func stepsText(steps map[string]float64) string {
	var names []string
	for name := range steps {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if steps[a] != steps[b] {
			return map[bool]int{true: -1, false: 1}[steps[a] > steps[b]]
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("`%s` %.2f s", name, steps[name])
	}
	return strings.Join(names, ", ")
}

// secondsText is the median, with the least and the most of several.
func secondsText(values []float64) string {
	text := shortSeconds(median(values))
	if low, high := shortSeconds(slices.Min(values)), shortSeconds(slices.Max(values)); low != high {
		text += " (" + low + "–" + high + ")"
	}
	return text + " s"
}

func shortSeconds(s float64) string {
	if s >= 10 {
		return fmt.Sprintf("%.0f", s)
	}
	return fmt.Sprintf("%.2f", s)
}

func bytesText(n int64) string { return humanize.Bytes(uint64(n)) }

// TestDocument: the document shows what is in the file of figures. With -write it is made so.
func TestDocument(t *testing.T) {
	all, err := readReport()
	require.NoError(t, err)
	if *write {
		require.NoError(t, show(all))
	}
	document, err := os.ReadFile(documentFile)
	require.NoError(t, err)
	for id := range all.Workloads {
		require.True(t, slices.ContainsFunc(workloads(), func(l workload) bool { return l.id == id }), "%s is no workload any more: take it out of %s", id, figuresFile)
	}
	want, err := withTables(string(document), all)
	require.NoError(t, err)
	require.Equal(t, want, string(document))
}

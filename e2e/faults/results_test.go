package faults_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// The matrix as it was seen last, and the document that shows it.
const (
	resultsFile  = "testdata/matrix.json"
	documentFile = "../../docs/reliability.md"
	tablesBegin  = "<!-- made by make faults: -->\n"
	tablesEnd    = "<!-- end of what make faults made -->\n"
)

// result is what was seen of a cell in which all was well in the end.
type result struct {
	Seconds float64 `json:"seconds"` // from the end of the fault until everything was in sync
	Retries int     `json:"retries"` // attempts after the first, and runs that failed
}

// results are those of cells by their names; nil is that of one that has failed.
type results struct {
	mu sync.Mutex
	of map[string]*result
}

var seen = results{of: map[string]*result{}}

// record takes in what was seen of a cell. With -write it is written down at once: a run of the whole matrix takes long, and may be
// interrupted.
func (r *results) record(c cell, of *result) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of[c.name()] = of
	if !*write {
		return nil
	}
	return r.write()
}

// write takes in what was seen now, forgets cells that have failed or that there are no more, and writes both files.
func (r *results) write() error {
	all, err := readResults()
	if err != nil {
		return err
	}
	kept := map[string]result{}
	for _, c := range matrix() {
		name := c.name()
		switch now, tried := r.of[name]; {
		case now != nil:
			kept[name] = *now
		case !tried:
			if before, ok := all[name]; ok {
				kept[name] = before
			}
		}
	}
	text, err := json.MarshalIndent(kept, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(resultsFile, append(text, '\n'), 0o600); err != nil {
		return err
	}
	document, err := os.ReadFile(documentFile)
	if err != nil {
		return err
	}
	shown, err := withTables(string(document), kept)
	if err != nil {
		return err
	}
	return os.WriteFile(documentFile, []byte(shown), 0o600)
}

func readResults() (map[string]result, error) {
	all := map[string]result{}
	text, err := os.ReadFile(resultsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	return all, json.Unmarshal(text, &all)
}

// withTables is the document with what is between its two marks made anew.
func withTables(document string, of map[string]result) (string, error) {
	return between(document, tablesBegin, tablesEnd, render(matrix(), of))
}

// between is the document with a text in place of what is between two marks.
func between(document, begin, end, text string) (string, error) {
	before, rest, begins := strings.Cut(document, begin)
	_, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		return "", fmt.Errorf("%s: there is no %q with a %q after it", documentFile, begin, end)
	}
	return before + begin + "\n" + text + end + after, nil
}

// render makes a table of each family of faults, with a row for each step and a column for each fault. Cells that nobody has tried are
// counted only.
func render(all []cell, of map[string]result) string {
	var text strings.Builder
	cells := slices.DeleteFunc(slices.Clone(all), func(c cell) bool { _, tried := of[c.name()]; return !tried })
	fmt.Fprintf(&text, "There are %d cells. In these %d, all was well when they were last tried.\n\n", len(all), len(cells))
	for _, table := range distinct(cells, func(c cell) string { return c.table }) {
		var own []cell
		for _, c := range cells {
			if c.table == table {
				own = append(own, c)
			}
		}
		renderTable(&text, table, own, of)
	}
	return text.String()
}

func renderTable(text *strings.Builder, table string, cells []cell, of map[string]result) {
	faults := distinct(cells, func(c cell) string { return c.fault })
	fmt.Fprintf(text, "#### Faults of %s\n\n| | %s |\n|---|%s\n", table, strings.Join(faults, " | "), strings.Repeat("---|", len(faults)))
	for _, step := range distinct(cells, func(c cell) string { return c.step }) {
		text.WriteString("| " + step + " |")
		for _, fault := range faults {
			text.WriteString(" " + shown(cells, step, fault, of) + " |")
		}
		text.WriteString("\n")
	}
	text.WriteString("\n")
}

// shown is "" where there is no such cell.
func shown(cells []cell, step, fault string, of map[string]result) string {
	for _, c := range cells {
		if c.step != step || c.fault != fault {
			continue
		}
		return fmt.Sprintf("%.0f s, %d", of[c.name()].Seconds, of[c.name()].Retries)
	}
	return ""
}

func distinct(cells []cell, of func(cell) string) (values []string) {
	known := map[string]bool{}
	for _, c := range cells {
		if value := of(c); !known[value] {
			known[value] = true
			values = append(values, value)
		}
	}
	return values
}

// TestDocument: the document shows each cell of the matrix, as it was seen last, or says that it has not been tried.
func TestDocument(t *testing.T) {
	all, err := readResults()
	require.NoError(t, err)
	names := map[string]bool{}
	for _, c := range matrix() {
		names[c.name()] = true
	}
	for name := range all {
		require.True(t, names[name], "%s is no cell any more: make faults forgets it", name)
	}
	document, err := os.ReadFile(documentFile)
	require.NoError(t, err)
	want, err := withTables(string(document), all)
	require.NoError(t, err)
	require.Equal(t, want, string(document))
}

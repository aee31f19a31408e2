package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

const refreshEvery = 250 * time.Millisecond

// screen draws the table: in place on a terminal, and otherwise only the lines that changed.
type screen struct {
	out     *os.File
	drawn   int             // lines of the table that stand above the cursor
	printed map[string]bool // lines that were printed last
	colours bool            // on a terminal
	arrivals
}

// newScreen heeds NO_COLOR (https://no-color.org).
func newScreen(out *os.File) *screen {
	return &screen{out: out, colours: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb", arrivals: newArrivals()}
}

// width is 0 when the output is not a terminal.
func (s *screen) width() int {
	size, err := unix.IoctlGetWinsize(int(s.out.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}

// detach leaves the table as it is. The next one is drawn below it.
func (s *screen) detach() { s.drawn, s.printed = 0, nil }

// watch draws until done returns true, or ctx ends.
func (s *screen) watch(ctx context.Context, st *stack.Stack, done func([]stack.State) bool) error {
	ticker := time.NewTicker(refreshEvery)
	defer ticker.Stop()
	for {
		states, err := st.States(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.observe(states, time.Now())
		lines := s.formatTable(states)
		if s.width() > 0 { // else it would be another line each second
			lines = append(lines, "", describeCatalog(ctx, st, time.Now()))
		}
		lines = append(lines, describeMissingWorkers(ctx, st)...)
		if err != nil { // such as a mistake in the YAML file, which can be mended
			lines = []string{"The state is not known: " + err.Error()}
		}
		for _, role := range stack.Roles {
			if failure := st.LastFailure(ctx, role); failure != nil && ctx.Err() == nil {
				lines = append(lines, "", "The "+string(role)+"'s last cycle: "+failure.Error())
			}
		}
		s.draw(lines)
		if err == nil && done(states) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func (s *screen) draw(lines []string) {
	lines = strings.Split(strings.Join(lines, "\n"), "\n")
	width := s.width()
	if width == 0 {
		s.printChanged(lines)
		return
	}
	var out bytes.Buffer
	if s.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", s.drawn) // cursor up
	}
	out.WriteString("\x1b[J") // clear from there on
	for _, line := range lines {
		line = fmt.Sprintf("%.*s", width-1, line) // one that wraps would count twice
		if s.colours {
			line = coloured(line)
		}
		out.WriteString(line + "\n")
	}
	s.drawn = len(lines)
	_, _ = s.out.Write(out.Bytes())
}

func (s *screen) printChanged(lines []string) {
	now := map[string]bool{}
	for _, line := range lines {
		now[line] = true
		if !s.printed[line] {
			_, _ = fmt.Fprintln(s.out, line)
		}
	}
	s.printed = now
}

// formatTable has two lines for each sync, its ends one below the other: names may be long, and terminals have 80 columns.
func (s *screen) formatTable(states []stack.State) []string {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, state := range states {
		inSync := "behind "
		if state.InSync() {
			inSync = "in sync"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", inSync, state.Sync.Source, shortCommit(state.Source), describeObject(state))
		_, _ = fmt.Fprintf(w, "\t  to %s\t%s\t%s\n", state.Sync.Destination, shortCommit(state.Destination), s.describe(state.Sync))
	}
	_ = w.Flush()
	return strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
}

func shortCommit(hash string) string {
	if hash == "" {
		return "-"
	}
	return plan.Short(hash)
}

// describeObject tells what brought the destination where it is.
func describeObject(s stack.State) string {
	switch o := s.Object; {
	case o == nil:
		return "not in the bucket"
	case o.Base == "":
		return "snapshot, " + humanize.Bytes(uint64(o.Size))
	default:
		return "increment, " + humanize.Bytes(uint64(o.Size))
	}
}

// coloured gives the states of a table their colours.
func coloured(line string) string {
	for state, colour := range map[string]string{"in sync": "32", "behind ": "33"} {
		if rest, ok := strings.CutPrefix(line, state); ok {
			return "\x1b[" + colour + "m" + state + "\x1b[0m" + rest
		}
	}
	return line
}

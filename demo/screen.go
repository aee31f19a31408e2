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
	arrivals
}

func newScreen(out *os.File) *screen { return &screen{out: out, arrivals: newArrivals()} }

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
		// A line that wraps would count twice.
		fmt.Fprintf(&out, "%.*s\n", width-1, line)
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

func (s *screen) formatTable(states []stack.State) []string {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "IN SYNC\tSOURCE\tCOMMIT\tOBJECT IN THE BUCKET\tDESTINATION\tCOMMIT\tARRIVED IN")
	for _, state := range states {
		inSync := "no"
		if state.InSync() {
			inSync = "yes"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", inSync, state.Sync.Source, shortCommit(state.Source),
			describeObject(state), state.Sync.Destination, shortCommit(state.Destination), s.describe(state.Sync))
	}
	_ = w.Flush()
	return strings.Split(strings.TrimSpace(text.String()), "\n")
}

func shortCommit(hash string) string {
	if hash == "" {
		return "-"
	}
	return plan.Short(hash)
}

func describeObject(s stack.State) string {
	switch o := s.Object; {
	case o == nil:
		return "-"
	case o.Base == "":
		return fmt.Sprintf("snapshot %s, %s", plan.Short(o.Commit), humanize.Bytes(uint64(o.Size)))
	default:
		return fmt.Sprintf("increment %s, %s", plan.Short(o.Commit), humanize.Bytes(uint64(o.Size)))
	}
}

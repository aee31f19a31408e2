package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// showReport prints a report. It fails when the report has failures.
func (c *console) showReport(report contract.Report, asJSON bool) (err error) {
	if asJSON {
		err = json.NewEncoder(c.out).Encode(report)
	} else {
		printReport(c.out, report, c.seen())
		err = printLFS(c.out, report.LFS)
	}
	if n := report.Count(); n > 0 {
		return shownf(exitFailed, "%d failed", n)
	}
	return err
}

// printReport prints a report but for the first lines of what was synced, which have been seen.
func printReport(w io.Writer, r contract.Report, seen int) {
	list := func(what string, lines []string, more int) {
		for _, line := range lines {
			printForeign(w, what, line)
		}
		if more > 0 {
			printForeign(w, what, fmt.Sprintf("... and %d more", more))
		}
	}
	for _, planned := range r.Planned {
		what, changes, _ := strings.Cut(planned, "\n")
		printForeign(w, "would", what)
		for change := range strings.SplitSeq(changes, "\n") { // one by one, as all of them may be many
			if change != "" {
				printForeign(w, "     ", change)
			}
		}
	}
	list("synced", r.Synced[min(seen, len(r.Synced)):], r.SyncedMore)
	list("still running", r.Running, r.RunningMore)
	list("paused", pausedLines(r.Paused, time.Now()), r.PausedMore)
	list("deleted", deletedLines(r.Pruned), r.PrunedMore)
	if r.Warning != "" {
		printForeign(w, "warning:", r.Warning)
	}
	printFailures(w, r.Failed, r.FailedMore)
	_, _ = fmt.Fprintln(w, r)
}

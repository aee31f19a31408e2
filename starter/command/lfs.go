package command

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// printLFS prints a table of what the bucket has of Git LFS, if it has any.
func printLFS(out io.Writer, all *plan.LFSInBucket) error {
	if all == nil {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "\nLFS OBJECTS\tSIZE\tPROJECT") // Flush has its error
	for _, p := range all.Projects {
		name := foreign.Line(p.Project, maxShownLength)
		if p.Unused {
			name += ", which has no sync and no commits in the bucket"
		}
		printUsage(w, p.LFSUsage, name)
	}
	if all.MoreProjects > 0 {
		_, _ = fmt.Fprintf(w, "\t\tand %d projects that have less\n", all.MoreProjects)
	}
	what := "in all"
	if all.Incomplete {
		what = "counted; there are more"
	}
	printUsage(w, all.LFSUsage, what)
	return w.Flush()
}

func printUsage(w io.Writer, u plan.LFSUsage, of string) {
	_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", humanize.Comma(int64(u.Objects)), humanize.Bytes(uint64(u.Size)), of)
}

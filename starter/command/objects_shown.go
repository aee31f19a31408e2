package command

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// showObjectJSON prints one array, an object in each line. Where the listing fails, the last line says so.
func showObjectJSON(out io.Writer, listing *bucketListing, objects iter.Seq2[bucket.ObjectInfo, error]) error {
	before := "[\n"
	add := func(v any) error {
		line, err := json.Marshal(v)
		if err == nil {
			_, err = fmt.Fprintf(out, "%s%s", before, line)
		}
		before = ",\n"
		return err
	}
	var failed error
	for o, err := range listing.each(objects) {
		if failed = err; err != nil {
			break
		}
		if err := add(o); err != nil {
			return err
		}
	}
	if failed != nil {
		if err := add(map[string]string{"error": secrets().Text(failed.Error(), maxShownLength)}); err != nil {
			return err
		}
		end := outcomeOf(failed)
		end.shown = true
		failed = &end
	}
	if before == "[\n" { // there was nothing
		_, _ = io.WriteString(out, "[")
	}
	if _, err := io.WriteString(out, "\n]\n"); err != nil {
		return err
	}
	return failed
}

// maxLFSProjects bounds the projects whose LFS objects are counted by themselves.
const maxLFSProjects = 10_000

// maxUndecodableShown bounds how many keys are shown that say of nothing what they are.
const maxUndecodableShown = 20

// objectTable is what is printed for people: each chain as it comes, and the rest as sums.
type objectTable struct {
	io.Writer

	destination string
	of          map[string]fleet.Use // by kind
	superseded  fleet.Use
	lfs         map[string]plan.LFSUsage // by project
	lastLFS     string                   // the object of the last segment
	undecodable []string
}

func showObjectTable(out io.Writer, listing *bucketListing, objects iter.Seq2[bucket.ObjectInfo, error]) error {
	t := &objectTable{Writer: out, of: map[string]fleet.Use{}, lfs: map[string]plan.LFSUsage{}}
	for o, err := range listing.each(objects) {
		if err != nil {
			return err
		}
		t.add(o)
	}
	return t.finish()
}

func (t *objectTable) add(o listedObject) {
	count := func(u fleet.Use) fleet.Use { return fleet.Use{Objects: u.Objects + 1, Bytes: u.Bytes + o.Size} }
	t.of[o.Kind] = count(t.of[o.Kind])
	if o.Superseded {
		t.superseded = count(t.superseded)
	}
	switch o.Kind {
	case kindUndecodable:
		if len(t.undecodable) < maxUndecodableShown {
			t.undecodable = append(t.undecodable, o.Key)
		}
	case kindLFS:
		project := o.Project
		if _, known := t.lfs[project]; !known && len(t.lfs) >= maxLFSProjects {
			project = "further projects"
		}
		used := t.lfs[project]
		if id := o.Project + " " + o.OID; id != t.lastLFS { // segments come one after the other
			used.Objects, t.lastLFS = used.Objects+1, id
		}
		used.Size += o.Size
		t.lfs[project] = used
	case kindCatalog:
	default:
		if o.Destination != t.destination {
			t.destination = o.Destination
			_, _ = fmt.Fprintln(t, foreign.Line(o.Destination, maxShownLength)) // what is last written has the error
		}
		t.printObject(o)
	}
}

// printObject prints an object of a chain, indented by what it builds on.
func (t *objectTable) printObject(o listedObject) {
	what := o.Kind
	if o.Kind == kindIncrement {
		what = "  on " + plan.Short(o.Base)
	}
	note := ""
	switch {
	case o.Superseded:
		note = ", superseded"
	case o.BaseMissing:
		note = ", its base is missing"
	}
	_, _ = fmt.Fprintf(t, "  %-14s%-9s%9s  %s%s\n", what, plan.Short(o.Commit), humanize.Bytes(uint64(max(0, o.Size))), humanize.Time(o.Modified), note)
}

// finish prints the sums.
func (t *objectTable) finish() error {
	var projects plan.LFSInBucket
	for _, path := range slices.Sorted(maps.Keys(t.lfs)) {
		projects.Projects = append(projects.Projects, plan.LFSProject{Project: path, LFSUsage: t.lfs[path]})
		projects.Objects, projects.Size = projects.Objects+t.lfs[path].Objects, projects.Size+t.lfs[path].Size
	}
	if len(t.lfs) > 0 {
		if err := printLFS(t, &projects); err != nil {
			return err
		}
	}
	for _, key := range t.undecodable {
		_, _ = fmt.Fprintln(t, "no key of ours:", foreign.Quote(key, maxShownKey))
	}
	w := tabwriter.NewWriter(t, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "\nOBJECTS\tSIZE\t\tIN THE BUCKET") // Flush has its error
	row := func(what string, u fleet.Use) {
		if u.Objects > 0 {
			_, _ = fmt.Fprintf(w, "%s\t%s\t\t%s\n", humanize.Comma(int64(u.Objects)), humanize.Bytes(uint64(max(0, u.Bytes))), what)
		}
	}
	var all fleet.Use
	for _, kind := range [][2]string{
		{kindSnapshot, "snapshots"}, {kindIncrement, "increments"}, {kindPredecessor, "of the predecessor"}, {kindLFS, "of Git LFS, by keys"},
		{kindCatalog, "catalog"}, {kindUndecodable, "with keys that are not ours"},
	} {
		u := t.of[kind[0]]
		row(kind[1], u)
		all = fleet.Use{Objects: all.Objects + u.Objects, Bytes: all.Bytes + u.Bytes}
	}
	row("superseded, among these", t.superseded)
	_, _ = fmt.Fprintf(w, "%s\t%s\t\t%s\n", humanize.Comma(int64(all.Objects)), humanize.Bytes(uint64(all.Bytes)), "in all")
	return w.Flush()
}

// maxShownKey is how many characters of a key are shown that says of nothing what it is.
const maxShownKey = 50

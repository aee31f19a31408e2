package main

import (
	"fmt"
	"math"
	"strings"
)

// chart is a drawing of horizontal bars: for each row, one of each way.
type chart struct {
	name, title, axis string // an empty title is that of the workload
	rows              func(report) []row
	relative          bool // to the conventional way, which is 1
}

// row has what a bar stands for, and what is written at its end. A value of 0 was not measured.
type row struct {
	label  string
	values [ways]float64
	texts  [ways]string
}

// The ways that are compared.
const (
	floors = iota
	conventional
	thisSystem
	ways
)

var wayNames = [ways]string{"floors", "conventional", "this system"}

var charts = []chart{
	{"wall", "Wall time, beside the conventional way", "times the conventional way's", relativeWall, true},
	{"large", "", "seconds", largeSeconds, false},
	{"memory", "Peak memory of a first sync", "MB", memory, false},
}

// sides are those of the partition, with the floors that a first and a further sync have.
var sides = []struct {
	name          string
	first, second []string
}{
	{"producer", []string{"floor: read the pack from the source", "floor: put it into the bucket"}, []string{"floor: git fetch"}},
	{"consumer", []string{"floor: git push"}, []string{"floor: git push"}},
}

// labels are those of workloads, with the number of syncs where they are of several.
var labels = []struct{ id, label string }{
	{"first-1kB", "1 kB"}, {"first-small", "small"}, {"first-large", "large"}, {"first-huge", "huge"},
	{"1-commit", "+1 commit"}, {"100-commits", "+100 commits"},
	{"20", "%d small"}, {"60", "%d small"}, {"moved-60", "%d moved"}, {"200", "%d small"}, {"many", "%d small"},
	{"far-60", "%d far away"}, {"far-200", "%d far away"}, {"idle", "%d idle"}, {"refs", "many refs"}, {"beside", "large + small"},
}

func wall(f figures) float64 { return f.Wall }

func relativeWall(all report) (rows []row) {
	for _, l := range labels {
		w, ok := all.Workloads[l.id]
		for _, side := range sides {
			base := w.median("conventional", side.name, wall)
			if !ok || base == 0 {
				continue
			}
			label := l.label
			if strings.Contains(label, "%d") {
				label = fmt.Sprintf(label, w.Syncs)
			}
			r := row{label: label + ", " + side.name}
			seconds := [ways]float64{w.sum(side.name, wall, side.first), base, w.median("this system", side.name, wall)}
			if fetched := w.sum(side.name, wall, side.second); fetched > 0 {
				seconds[floors] = fetched
			}
			for i, s := range seconds {
				r.values[i], r.texts[i] = s/base, short(s)+" s"
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// sum is what several floors take together; 0 if one of them was not measured.
func (w workload) sum(side string, of func(figures) float64, names []string) (sum float64) {
	for _, name := range names {
		if !w.has(name, side) {
			return 0
		}
		sum += w.median(name, side, of)
	}
	return sum
}

func (w workload) has(name, side string) bool {
	return w.median(name, side, wall) > 0
}

func largeSeconds(all report) (rows []row) {
	kinds := []struct {
		label string
		of    func(figures) float64
	}{
		{"wall", wall},
		{"CPU", func(f figures) float64 { return f.CPU["own"] }},
		{"CPU of git's servers", func(f figures) float64 { return f.CPU["git"] }},
	}
	for _, side := range sides {
		for _, k := range kinds {
			w, ok := all.Workloads["first-large"]
			if !ok {
				return nil
			}
			rows = append(rows, newRow(side.name+", "+k.label, " s", w.sum(side.name, k.of, side.first),
				w.median("conventional", side.name, k.of), w.median("this system", side.name, k.of)))
		}
	}
	return rows
}

func memory(all report) (rows []row) {
	for _, l := range labels[:4] {
		w, ok := all.Workloads[l.id]
		if !ok {
			continue
		}
		megabytes := func(f figures) float64 { return f.Peak["own"] / 1e6 }
		for _, side := range sides {
			rows = append(rows, newRow(l.label+", "+side.name, " MB", 0, w.median("conventional", side.name, megabytes), w.median("this system", side.name, megabytes)))
		}
	}
	return rows
}

func newRow(label, unit string, values ...float64) row {
	r := row{label: label}
	for i, v := range values {
		r.values[i], r.texts[i] = v, short(v)+unit
	}
	return r
}

// short has two or three digits that count.
func short(v float64) string {
	switch {
	case v >= 10:
		return fmt.Sprintf("%.0f", v)
	case v >= 1:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", math.Max(v, 0))
}

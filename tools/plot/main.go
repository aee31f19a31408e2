// Plot draws the figures that make bench has measured as SVG.
//
//	plot FIGURES.json FOLDER
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// report is as much of the file of figures as is drawn. Its shape is that of e2e/performance.
type report struct {
	Workloads map[string]workload `json:"workloads"`
}

type workload struct {
	What  string `json:"what"`
	Syncs int    `json:"syncs"`
	Ways  []struct {
		Way    string    `json:"way"`
		Side   string    `json:"side"`
		Rounds []figures `json:"rounds"`
	} `json:"ways"`
}

type figures struct {
	Wall float64            `json:"wall_seconds"`
	CPU  map[string]float64 `json:"cpu_seconds"`
	Peak map[string]float64 `json:"peak_bytes"`
	Disk float64            `json:"disk_bytes"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: plot FIGURES.json FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(file, folder string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var all report
	if err := json.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, c := range charts {
		rows := c.rows(all)
		if len(rows) == 0 { // not measured
			continue
		}
		c.title = cmp.Or(c.title, all.Workloads["first-large"].What)
		if err := drawChart(c, rows, filepath.Join(folder, c.name+".svg")); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// median is that of a way's rounds; 0 when it was not measured.
func (w workload) median(name, side string, of func(figures) float64) float64 {
	for _, way := range w.Ways {
		if way.Way == name && way.Side == side && len(way.Rounds) > 0 {
			var values []float64
			for _, f := range way.Rounds {
				values = append(values, of(f))
			}
			slices.Sort(values)
			return values[len(values)/2]
		}
	}
	return 0
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const figuresOfTest = `{"workloads": {"first-large": {"what": "A first sync of 300 MB", "ways": [
	{"way": "floor: read the pack from the source", "side": "producer", "rounds": [{"wall_seconds": 2}]},
	{"way": "floor: put it into the bucket", "side": "producer", "rounds": [{"wall_seconds": 1.25}]},
	{"way": "conventional", "side": "producer", "rounds": [{"wall_seconds": 31}, {"wall_seconds": 30}, {"wall_seconds": 900}]},
	{"way": "this system", "side": "producer", "rounds": [{"wall_seconds": 4.5, "peak_bytes": {"own": 44000000}}]}
]}}}`

// What was measured is drawn: medians, sums of floors, and nothing that was not measured.
func TestCharts(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "figures.json")
	if err := os.WriteFile(file, []byte(figuresOfTest), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(file, dir); err != nil {
		t.Fatal(err)
	}
	for name, texts := range map[string][]string{
		"wall":   {"large, producer", "3.2 s", "31 s", "4.5 s", "conventional"},
		"large":  {"A first sync of 300 MB", "producer, wall", "31 s"},
		"memory": {"44 MB"},
	} {
		svg, err := os.ReadFile(filepath.Join(dir, name+".svg"))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			if !strings.Contains(string(svg), text) {
				t.Errorf("%s.svg does not say %q", name, text)
			}
		}
		if strings.Contains(string(svg), "900") {
			t.Errorf("%s.svg shows a round that is not the median", name)
		}
	}
}

func TestFiguresThatAreNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "figures.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(file, t.TempDir()); err == nil || !strings.Contains(err.Error(), file) {
		t.Fatal(err)
	}
}

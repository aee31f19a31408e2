package performance_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// plannedFile has the figures of TestPlanned in e2e/scale: cycles in which Git costs nothing.
const plannedFile = "../../docs/performance/planned.json"

// goal is what a figure is to be at most.
type goal struct {
	what    string
	most    string // in words
	figures func(report) (measured, most float64)
	unit    string
	atLeast bool // it is to be at least that
}

// The goals. A figure of 0 was not measured.
var goals = []goal{
	{"first sync of the large repository, producer: wall", "1.15 × what reading the pack and putting it takes", func(all report) (float64, float64) {
		r := all.large("first-large")
		return r.wall(thisSystem, "producer"), 1.15 * (r.wall(readFloor, "producer") + r.wall(putFloor, "producer"))
	}, " s", false},
	{"the same: CPU of the worker", "1.5 s", cpuGoal("producer", 1.5), " s", false},
	{"the same: disk", "1.1 × the pack", diskGoal("producer", 1.1), " MB", false},
	{"first sync of the large repository, consumer: wall", "0.95 × `git push`", func(all report) (float64, float64) {
		r := all.large("first-large")
		return r.wall(thisSystem, "consumer"), 0.95 * r.wall(pushFloor, "consumer")
	}, " s", false},
	{"the same: CPU of the worker", "1.0 s", cpuGoal("consumer", 1.0), " s", false},
	{"the same: disk", "1.1 × the pack", diskGoal("consumer", 1.1), " MB", false},
	{"60 small repositories, producer: wall", "the conventional way", againstConventional("60", "producer", 1), " s", false},
	{"the same, consumer", "the conventional way", againstConventional("60", "consumer", 1), " s", false},
	{"the same with 20 ms of round trip, producer", "1/5 of the conventional way", againstConventional("far-60", "producer", 5), " s", false},
	{"the same with 20 ms of round trip, consumer", "1/5 of the conventional way", againstConventional("far-60", "consumer", 5), " s", false},
	{"syncs a second where Git costs nothing, on the slower side", "10 at least", plannedRate, "", true},
	{"one commit more to the large repository, producer: wall", "0.5 s", wallGoal("1-commit", "producer", 0.5), " s", false},
	{"the same, consumer", "0.5 s", wallGoal("1-commit", "consumer", 0.5), " s", false},
	{"requests to the source for each small sync", "4", requestsGoal("moved-60", "producer", "source ", 4), "", false},
	{"requests to the destination for each small sync", "5", requestsGoal("moved-60", "consumer", "destination ", 5), "", false},
	{"requests to the source for each idle sync", "1", requestsGoal("idle", "producer", "source ", 1), "", false},
	{"requests to the destination for each idle sync", "1", requestsGoal("idle", "consumer", "destination ", 1), "", false},
	{"Temporal's CPU for each small sync, producer", "0.14 s", temporalGoal("producer", 0.14), " s", false},
	{"the same, consumer", "0.1 s", temporalGoal("consumer", 0.1), " s", false},
}

func (r result) median(name, side string, of func(figures) float64) float64 {
	return median(way{Rounds: r.of(name, side)}.values(of))
}

func (r result) wall(name, side string) float64 {
	return r.median(name, side, func(f figures) float64 { return f.Wall })
}

// largeGoal is the least that the pack of a large repository has, in bytes, for goals that are for one of 300 MB.
const largeGoal = 250_000_000

// large is a workload of a large repository; nothing if it was measured with a smaller one.
func (all report) large(id string) result {
	if r := all.Workloads[id]; r.Pack >= largeGoal {
		return r
	}
	return result{}
}

// sixty is a workload of 60 small repositories; nothing if it was measured with others.
func (all report) sixty(id string) result {
	if r := all.Workloads[id]; r.Syncs == 60 {
		return r
	}
	return result{}
}

func wallGoal(id, side string, most float64) func(report) (float64, float64) {
	return func(all report) (float64, float64) { return all.large(id).wall(thisSystem, side), most }
}

func cpuGoal(side string, most float64) func(report) (float64, float64) {
	return func(all report) (float64, float64) {
		return all.large("first-large").median(thisSystem, side, func(f figures) float64 { return f.CPU[own] }), most
	}
}

func diskGoal(side string, times float64) func(report) (float64, float64) {
	return func(all report) (float64, float64) {
		r := all.large("first-large")
		return r.median(thisSystem, side, func(f figures) float64 { return float64(f.Disk) / 1e6 }), times * float64(r.Pack) / 1e6
	}
}

func againstConventional(id, side string, parts float64) func(report) (float64, float64) {
	return func(all report) (float64, float64) {
		r := all.sixty(id)
		return r.wall(thisSystem, side), r.wall(conventional, side) / parts
	}
}

func requestsGoal(id, side, server string, most float64) func(report) (float64, float64) {
	return func(all report) (float64, float64) {
		r := all.Workloads[id]
		return r.median(thisSystem, side, func(f figures) float64 { return float64(f.asked(server)) / float64(r.Syncs) }), most
	}
}

func temporalGoal(side string, most float64) func(report) (float64, float64) {
	return func(all report) (float64, float64) {
		r := all.sixty("moved-60")
		return r.median(thisSystem, side, func(f figures) float64 { return f.CPU[temporal] / float64(r.Syncs) }), most
	}
}

// plannedRate is that of the cycles in which all syncs have moved.
func plannedRate(report) (slowest, least float64) {
	cycles, err := readPlanned()
	if err != nil {
		return 0, 0
	}
	for _, c := range cycles {
		if rate := float64(c.Moved) / c.Wall; strings.HasSuffix(c.Cycle, ", all moved") && (slowest == 0 || rate < slowest) {
			slowest = rate
		}
	}
	return slowest, 10
}

// plannedCycle is one of those that TestPlanned has measured.
type plannedCycle struct {
	Cycle string  `json:"cycle"`
	Moved int     `json:"moved"`
	Wall  float64 `json:"wall_seconds"`
}

func readPlanned() (cycles []plannedCycle, err error) {
	text, err := os.ReadFile(plannedFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &cycles)
	}
	return cycles, err
}

// goalsTable tells for each goal whether it is met, and by how much.
func goalsTable(all report) string {
	var text strings.Builder
	text.WriteString("| | at most | measured | |\n|---|---|---|---|\n")
	for _, g := range goals {
		measured, bound := g.figures(all)
		fmt.Fprintf(&text, "| %s | %s | %s | %s |\n", g.what, g.bound(bound), g.shown(measured), g.verdict(measured, bound))
	}
	return text.String() + "\n"
}

// bound says what the goal is, and what that comes to where it depends on another figure.
func (g goal) bound(most float64) string {
	if most == 0 || !strings.ContainsAny(g.most, "×`") && !strings.Contains(g.most, "way") {
		return g.most
	}
	return g.most + ": " + g.shown(most)
}

func (g goal) shown(value float64) string {
	switch {
	case value == 0:
		return ""
	case value >= 100:
		return fmt.Sprintf("%.0f%s", value, g.unit)
	}
	return fmt.Sprintf("%.2f%s", value, g.unit)
}

func (g goal) verdict(measured, bound float64) string {
	if measured == 0 || bound == 0 {
		return "not measured"
	}
	off := 100 * (bound - measured) / bound
	if g.atLeast {
		off = -off
	}
	if off < 0 {
		return fmt.Sprintf("**not met**, by %.0f %%", -off)
	}
	return fmt.Sprintf("met, by %.0f %%", off)
}

// A goal is not met by something smaller than it is for.
func TestGoalsNeedTheirSizes(t *testing.T) {
	ways := []way{{thisSystem, "producer", []figures{{Wall: 1, CPU: map[string]float64{own: 1}, Disk: 1}}}, {conventional, "producer", []figures{{Wall: 2}}}}
	measured := func(pack int64, syncs int) int {
		all := report{Workloads: map[string]result{}}
		for _, id := range []string{"first-large", "1-commit", "60", "far-60"} {
			all.Workloads[id] = result{Ways: ways, Pack: pack, Syncs: syncs}
		}
		n := 0
		for _, g := range goals {
			if value, _ := g.figures(all); value > 0 && g.what != "syncs a second where Git costs nothing, on the slower side" {
				n++
			}
		}
		return n
	}
	require.Zero(t, measured(largeGoal-1, 59))
	require.Equal(t, 6, measured(largeGoal, 60))
}

func TestVerdicts(t *testing.T) {
	most, least := goal{unit: " s"}, goal{atLeast: true}
	require.Equal(t, "**not met**, by 50 %", most.verdict(1.5, 1))
	require.Equal(t, "met, by 25 %", most.verdict(0.75, 1))
	require.Equal(t, "met, by 0 %", most.verdict(1, 1))
	require.Equal(t, "met, by 50 %", least.verdict(15, 10))
	require.Equal(t, "**not met**, by 50 %", least.verdict(5, 10))
	require.Equal(t, "not measured", most.verdict(0, 1))
}

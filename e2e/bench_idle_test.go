package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/rusage"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

var idleSyncs = flag.Int("idle-syncs", 1200, "how many syncs BenchmarkIdle has")

// branchesOfProject is how many of them are of one project.
const branchesOfProject = 20

// BenchmarkIdle measures what an hour costs in which nothing moves: a cycle of either side each five minutes, and a poll of the
// catalog each ten seconds. The figures are those of single cycles and polls, times how often they are in an hour.
func BenchmarkIdle(b *testing.B) {
	rusage.Need(b)
	s := begin(b)
	manySyncs(s, *idleSyncs)
	all := contract.CycleInput{Limits: contract.Limits{MaxInFlight: 64, WaitSeconds: 3600}}
	for range 2 { // the second producer's cycle writes what the first has uploaded
		runCycle(s, stack.Producer, contract.Producer.TaskQueue, workflows.ProducerSync, all)
	}
	runCycle(s, stack.Consumer, contract.Consumer.TaskQueue, workflows.ConsumerSync, all)
	requireInSync(s, *idleSyncs)
	restartWorkers(s)
	require.NoError(b, s.Workers[stack.Producer].Stop())
	require.NoError(b, s.StartWorker(b.Context(), stack.Producer, "CATALOG_INTERVAL=0s")) // a cycle in five minutes always writes it
	syncOnce(s)

	const cycles, polls = 5, 60
	hourly := newCost()
	var produced, consumed time.Duration
	measured := measureCost(s, func() {
		for range cycles {
			produced, consumed = syncOnce(s)
		}
	})
	b.Logf("%d idle cycles of either side: %v; the last ones took %s and %s", cycles, measured, produced, consumed)
	hourly.add(measured, 12./cycles)
	polling(s)
	time.Sleep(2 * time.Second)
	measured = measureCost(s, func() { time.Sleep(polls * time.Second) })
	b.Logf("%d polls: %v", polls, measured)
	hourly.add(measured, 348./polls)
	changed := measureCost(s, func() { // a catalog that says only that sources were seen again
		for range cycles {
			runCycle(s, stack.Producer, contract.Producer.TaskQueue, workflows.ProducerSync, contract.CycleInput{})
			time.Sleep(2 * time.Second)
		}
	})
	b.Logf("%d catalogs, each with the producer's cycle and two polls: %v", cycles, changed)
	hourly.requests["GET-200-catalog"] += 12
	hourly.cpu[stack.Consumer] += changed.cpu[stack.Consumer] * 12 / cycles
	for b.Loop() {
	}
	b.ReportMetric(0, "ns/op")
	for what, n := range hourly.requests {
		b.ReportMetric(n, what+"/h")
	}
	for role, cpu := range hourly.cpu {
		b.ReportMetric(cpu, string(role)+"-cpu-s/h")
	}
	b.ReportMetric(float64(12*idleEvents[stack.Producer]), "producer-events/h")
	b.ReportMetric(float64(12*idleEvents[stack.Consumer]+2*eventsOfAwait), "consumer-events/h")
}

// eventsOfAwait is how many events of a history one wait for another catalog is: of its workflow task and its activity, three each.
const eventsOfAwait = 6

// manySyncs makes projects with branches, all of which are synced.
func manySyncs(s sides, n int) {
	s.Helper()
	var pairs [][2]string
	for i := range n {
		repo := fmt.Sprintf("many/p%03d", i/branchesOfProject)
		name := fmt.Sprintf("b%02d", i%branchesOfProject)
		if i%branchesOfProject == 0 {
			commit(s, repo+"@"+name)
			create(s, s.Destination, "mirror/"+repo)
		} else {
			_, err := s.Source.Git(s.Context(), repo, "branch", name, "b00")
			require.NoError(s, err)
		}
		pairs = append(pairs, [2]string{repo + "@" + name, "mirror/" + repo + "@" + name})
	}
	configure(s, pairs...)
}

// cost is what something takes of the bucket and of the workers.
type cost struct {
	requests map[string]float64 // by method, status, and whether they are for the catalog
	cpu      map[stack.Role]float64
}

func newCost() cost { return cost{map[string]float64{}, map[stack.Role]float64{}} }

func (c cost) add(other cost, times float64) {
	for what, n := range other.requests {
		c.requests[what] += n * times
	}
	for role, cpu := range other.cpu {
		c.cpu[role] += cpu * times
	}
}

func (c cost) String() string { return fmt.Sprintf("requests %v, cpu seconds %v", c.requests, c.cpu) }

func measureCost(s sides, do func()) cost {
	s.Helper()
	used := newCost()
	before := len(s3Log(s))
	for _, role := range stack.Roles {
		used.cpu[role] = -rusage.CPU(s, s.Workers[role].PID()).Seconds()
	}
	do()
	for _, role := range stack.Roles {
		used.cpu[role] += rusage.CPU(s, s.Workers[role].PID()).Seconds()
	}
	for line := range strings.Lines(s3Log(s)[before:]) {
		// time | vgw | status | duration | address | method | path | error | query
		if cells := strings.Split(line, "|"); len(cells) > 6 && strings.TrimSpace(cells[1]) == "vgw" {
			what := strings.TrimSpace(cells[5]) + "-" + strings.TrimSpace(cells[2])
			if strings.HasSuffix(strings.TrimSpace(cells[6]), "/catalog.tar.age") {
				what += "-catalog"
			}
			used.requests[what]++
		}
	}
	return used
}

// s3Log has a line for each request that the bucket was sent.
func s3Log(s sides) string {
	s.Helper()
	text, err := os.ReadFile(filepath.Join(s.Dir(), "logs", "s3.log"))
	require.NoError(s, err)
	return string(text)
}

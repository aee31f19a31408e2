package performance_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/projects"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// workload is something to sync that is measured in several ways, which take turns in each round.
type workload struct {
	id      string // of its test and its figures
	what    string
	rounds  int
	syncs   int // that move in each round
	measure func(w *testing.T, r *result)
}

// far is what a round trip takes in the workloads with far servers.
const far = 20 * time.Millisecond

// workloads are all, in the order of the document.
func workloads() []workload {
	const kilobyte, small = 1_000, 3_000_000
	once := []workload{
		first("first-1kB", kilobyte, *rounds), first("first-small", min(small, *large), *rounds), first("first-large", *large, *rounds), first("first-huge", *huge, 1),
		further("1-commit", *large, 1), further("100-commits", *large, 100),
	}
	set := func(n int) int { return min(n, *many) }
	return append(once,
		several("20", set(20), *rounds, 0), several("60", set(60), *rounds, 0), moved("moved-60", set(60)),
		several("200", set(200), *rounds, 0), several("many", *many, 1, 0),
		several("far-60", set(60), *rounds, far), several("far-200", set(200), 1, far), farMany(),
		idle(*many), manyRefs(*refs), beside(*large, set(200)), oneByOne(min(small, *large), *updates),
	)
}

func first(id string, size int64, rounds int) workload {
	what := fmt.Sprintf("A first sync of a repository of %s", humanize.Bytes(uint64(size)))
	return workload{id, what, rounds, 1, func(t *testing.T, r *result) {
		w := begin(t, 0)
		s := w.repository(size)
		for range rounds {
			w.reset()
			r.Pack = w.firstFloors(r, s)
			r.addBoth(conventional, w.conventional())
			r.addBoth(thisSystem, w.system(1))
			w.requireInSync(true)
		}
	}}
}

// repository makes one repository, which is all that is synced.
func (w *world) repository(size int64) project.Sync {
	w.Helper()
	s := project.Sync{
		Source:      project.Branch{Group: "group", Name: "repository", Branch: "main"},
		Destination: project.Branch{Group: "mirror/group", Name: "repository", Branch: "main"},
	}
	w.generate(s.Source, size)
	w.configure(s)
	return s
}

func further(id string, size int64, commits int) workload {
	what := fmt.Sprintf("%s more to a repository of %s", counted(commits, "commit"), humanize.Bytes(uint64(size)))
	return workload{id, what, *rounds, 1, func(t *testing.T, r *result) {
		w := begin(t, 0)
		s := w.repository(size)
		r.Pack = w.packed(s.Source)
		w.reset()
		w.system(1)
		w.system(0) // the producer's catalog comes to rest
		clone := filepath.Join(t.TempDir(), "clone")
		w.cloneTo(s.Source, clone)
		for _, to := range []project.Branch{plain(s), floor(s)} {
			w.cloneTo(s.Source, w.Destination.Dir(to.Path()))
			_, err := w.Destination.Git(t.Context(), to.Path(), "config", "http.receivepack", "true")
			require.NoError(t, err)
		}
		for range *rounds {
			w.addCommits(s.Source, commits)
			w.nextFloors(r, s, clone)
			r.addBoth(conventional, w.conventional())
			r.addBoth(thisSystem, w.system(1))
			w.requireInSync(true)
		}
	}}
}

// packed is how many bytes the packs of a source have.
func (w *world) packed(b project.Branch) (bytes int64) {
	w.Helper()
	packs, err := filepath.Glob(filepath.Join(w.Source.Dir(b.Path()), "objects", "pack", "*.pack"))
	require.NoError(w, err)
	for _, pack := range packs {
		info, err := os.Stat(pack)
		require.NoError(w, err)
		bytes += info.Size()
	}
	return bytes
}

// cloneTo copies a source's repository to a folder, in place of what is there.
func (w *world) cloneTo(b project.Branch, dir string) {
	w.Helper()
	for _, args := range [][]string{{"rm", "-rf", dir}, {"git", "clone", "--quiet", "--bare", w.Source.Dir(b.Path()), dir}} {
		out, err := exec.CommandContext(w.Context(), args[0], args[1:]...).CombinedOutput()
		require.NoError(w, err, string(out))
	}
}

func several(id string, n, rounds int, roundTrip time.Duration) workload {
	return workload{id, "A first sync of " + smallOnes(n, roundTrip), rounds, n, func(t *testing.T, r *result) {
		w := begin(t, roundTrip)
		w.configure(projects.Populate(t, w.Stack, n)...)
		for range rounds {
			w.reset()
			r.addBoth(conventional, w.conventional())
			r.addBoth(thisSystem, w.system(n))
			w.requireInSync(true)
		}
	}}
}

func moved(id string, n int) workload {
	return workload{id, "One commit more in each of " + smallOnes(n, 0), *rounds, n, func(t *testing.T, r *result) {
		w := begin(t, 0)
		w.configure(projects.Populate(t, w.Stack, n)...)
		w.reset()
		w.system(n)
		w.system(0)
		for round := range *rounds {
			for _, s := range w.syncs {
				projects.AddCommit(t, w.Source, s.Source, 1+round)
			}
			r.addBoth(conventional, w.conventional())
			r.addBoth(thisSystem, w.system(n))
			w.requireInSync(true)
		}
	}}
}

// farMany leaves the conventional way out, which takes as much longer as there are more.
func farMany() workload {
	return workload{"far-many", "A first sync of " + smallOnes(*many, far), 1, *many, func(t *testing.T, r *result) {
		w := begin(t, far)
		w.configure(projects.Populate(t, w.Stack, *many)...)
		r.addBoth(thisSystem, w.system(*many))
		w.requireInSync(false)
	}}
}

func idle(n int) workload {
	return workload{"idle", "A cycle in which none of " + smallOnes(n, 0) + " has moved", *rounds, n, func(t *testing.T, r *result) {
		w := begin(t, 0)
		w.configure(projects.Populate(t, w.Stack, n)...)
		w.system(n)
		w.system(0)
		for range *rounds {
			r.addBoth(conventional, map[stack.Role]figures{stack.Producer: w.look(stack.Producer), stack.Consumer: w.look(stack.Consumer)})
			r.addBoth(thisSystem, w.system(0))
		}
	}}
}

func smallOnes(n int, roundTrip time.Duration) string {
	text := fmt.Sprintf("%s small repositories of 30 kB", humanize.Comma(int64(n)))
	if roundTrip > 0 {
		text += fmt.Sprintf(", %s of round trip away", roundTrip)
	}
	return text
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

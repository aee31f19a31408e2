package performance_test

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/dustin/go-humanize"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/projects"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

func manyRefs(n int) workload {
	what := fmt.Sprintf("A first sync of a project with %s refs", humanize.Comma(int64(n)))
	return workload{"refs", what, 1, 1, func(t *testing.T, r *result) {
		w := begin(t, 0)
		b := project.Branch{Group: "group", Name: "tags", Branch: "main"}
		w.generate(b, 300_000)
		w.tag(b, n-1)
		set := project.Sync{Source: b, Destination: project.Branch{Group: "mirror/group", Name: "tags", Branch: "refs/*"}}
		set.Source.Branch = "refs/*"
		w.configure(set)
		w.reset()
		r.addBoth(conventional, w.conventional())
		r.addBoth(thisSystem, w.system(1))
		for _, to := range []project.Branch{set.Destination, plain(set)} {
			require.Equal(t, w.refs(w.Source, b), w.refs(w.Destination, to))
		}
	}}
}

// tag adds annotated tags of a branch's newest commit, packed as servers keep them.
func (w *world) tag(b project.Branch, n int) {
	w.Helper()
	var in bytes.Buffer
	tip := w.head(w.Source, b) // a name would be looked up each time
	for i := range n {
		fmt.Fprintf(&in, "tag v%d\nfrom %s\ntagger Demo <demo@example.com> %d +0000\ndata 7\nrelease\n", i, tip, 1_700_000_000+i)
	}
	require.NoError(w, w.Source.Import(w.Context(), b.Path(), &in))
	_, err := w.Source.Git(w.Context(), b.Path(), "pack-refs", "--all")
	require.NoError(w, err)
}

// refs are the branches and tags of a project, with their objects.
func (w *world) refs(server *stack.GitServer, b project.Branch) string {
	w.Helper()
	list, err := server.Git(w.Context(), b.Path(), "for-each-ref", "refs/heads", "refs/tags")
	require.NoError(w, err)
	return list
}

// beside has one huge repository come first, beside small ones.
func beside(size int64, n int) workload {
	what := fmt.Sprintf("A first sync of a repository of %s beside %s", humanize.Bytes(uint64(size)), smallOnes(n, 0))
	return workload{"beside", what, 1, n + 1, func(t *testing.T, r *result) {
		w := begin(t, 0)
		large := w.repository(size)
		small := projects.Populate(t, w.Stack, n)
		w.configure(append([]project.Sync{large}, small...)...)
		w.reset()
		r.addBoth(conventional, w.conventional())
		both := w.system(n + 1)
		for _, f := range both {
			for id, end := range f.Cycle.Children {
				if !strings.Contains(id, "/"+large.Destination.Name+"@") {
					f.Cycle.SmallDone = max(f.Cycle.SmallDone, end)
				}
			}
			require.Positive(t, f.Cycle.SmallDone)
		}
		r.addBoth(thisSystem, both)
		w.requireInSync(true)
	}}
}

// oneByOne syncs each commit before the next is made. The conventional way takes for each what it takes for a first sync.
func oneByOne(size int64, n int) workload {
	what := fmt.Sprintf("%d commits to a repository of %s, one by one", n, humanize.Bytes(uint64(size)))
	return workload{"one-by-one", what, 1, n, func(t *testing.T, r *result) {
		w := begin(t, 0)
		s := w.repository(size)
		w.reset()
		w.system(1)
		all := map[stack.Role]figures{}
		for range n {
			w.addCommits(s.Source, 1)
			for role, f := range w.system(1) {
				all[role] = all[role].plus(f)
			}
		}
		r.addBoth(thisSystem, all)
		w.requireInSync(false)
	}}
}

// plus is what two syncs took together, one after the other. The histories are those of the last.
func (f figures) plus(next figures) figures {
	sum := figures{
		Wall: f.Wall + next.Wall, Disk: max(f.Disk, next.Disk), Cycle: next.Cycle,
		CPU: map[string]float64{}, Peak: map[string]int64{}, Requests: map[string]int{}, Bytes: map[string]int64{},
	}
	for _, of := range []figures{f, next} {
		add(sum.CPU, of.CPU)
		add(sum.Requests, of.Requests)
		add(sum.Bytes, of.Bytes)
	}
	maps.Copy(sum.Peak, f.Peak)
	for name, peak := range next.Peak {
		sum.Peak[name] = max(sum.Peak[name], peak)
	}
	return sum
}

func add[V int | int64 | float64](to, from map[string]V) {
	for name, value := range from {
		to[name] += value
	}
}

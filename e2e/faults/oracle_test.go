package faults_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// ours is where the consumer keeps its own refs at a destination.
const ours = "refs/git-partition-sync/"

const pollEvery = 250 * time.Millisecond

// awaitInSync waits until every destination equals its source and no child is at work.
func (w *world) awaitInSync(t testing.TB, patience time.Duration) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		differences := w.differences()
		if len(differences) == 0 {
			return
		}
		if time.Now().After(deadline) {
			assert.Fail(t, "not in sync", "after %s: %s\n%s", patience, strings.Join(differences, "; "), w.told(t))
			t.FailNow()
		}
		time.Sleep(pollEvery)
	}
}

// differences are what is not in the destinations as it is in the sources.
func (w *world) differences() (differences []string) {
	for repo := range repositories {
		source, destination := heads(w.Source.Server, repo), heads(w.Destination.Server, "mirror/"+repo)
		if !maps.Equal(source, destination) {
			differences = append(differences, fmt.Sprintf("%s is %v, the source is %v", repo, destination, source))
		}
	}
	w.moving.Lock()
	defer w.moving.Unlock()
	for _, oid := range w.lfsObjects {
		if !w.Destination.LFS().Has("mirror/"+large, oid) {
			differences = append(differences, "the LFS object "+oid[:10]+" is not at the destination")
		}
	}
	return differences
}

// requireTrueHistory sees to it that each ref of a destination only ever was what its source was, in the same order, apart from what
// others have put there.
func (w *world) requireTrueHistory(t testing.TB) {
	t.Helper()
	for repo, branches := range repositories {
		for _, branch := range branches {
			was, is := w.history(t, w.Source.Server, repo, branch), w.history(t, w.Destination.Server, "mirror/"+repo, branch)
			is = slices.DeleteFunc(is, w.others.has)
			assert.Empty(t, notOf(was, is), "%s@%s was what its source was not, or not by then; the source was %v, the destination %v", repo, branch, was, is)
		}
	}
}

// history has all values of a branch, the first one first.
func (w *world) history(t testing.TB, server *gitserver.Server, repo, branch string) (values []string) {
	t.Helper()
	name := reflog(server, repo, branch)
	w.others.Lock()
	values = slices.Clone(w.others.forgotten[name])
	w.others.Unlock()
	log, err := os.ReadFile(name)
	if !os.IsNotExist(err) || values == nil {
		require.NoError(t, err)
	}
	for line := range strings.Lines(string(log)) {
		values = append(values, strings.Fields(line)[1][:10])
	}
	return values
}

// notOf returns the values that are not there in the same order.
func notOf(all, values []string) (strange []string) {
	for _, value := range values {
		if i := slices.Index(all, value); i >= 0 {
			all = all[i:]
		} else {
			strange = append(strange, value)
		}
	}
	return strange
}

// leftoverPatience is how long what a fault has left may stay: the next cycles tidy up, and a run that has brought its destination
// to where it belongs may take a minute for the rest, on a machine that is busy with other tests.
const leftoverPatience = 3 * time.Minute

// requireNothingLeft waits until nothing is left of a fault.
func (w *world) requireNothingLeft(t testing.TB) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(leftoverPatience); time.Now().Before(deadline); time.Sleep(2 * pollEvery) {
		if left = w.leftovers(t); len(left) == 0 {
			return
		}
	}
	assert.Empty(t, left, "was left over\n%s", w.told(t))
}

// leftovers are processes that workers have started, files in the work directories, refs of ours at destinations, and objects that no chain needs.
func (w *world) leftovers(t testing.TB) (left []string) {
	t.Helper()
	for _, role := range stack.Roles {
		dirs, err := filepath.Glob(w.WorkDir(role) + "*")
		require.NoError(t, err)
		for _, dir := range dirs {
			files, err := stack.Staged(dir)
			require.NoError(t, err)
			left = append(left, files...)
		}
		left = append(left, w.children(role)...)
	}
	for repo := range repositories {
		out, err := w.Destination.Git(context.Background(), "mirror/"+repo, "for-each-ref", "--format=%(refname)", ours+"incoming")
		require.NoError(t, err)
		left = append(left, strings.Fields(out)...)
	}
	return append(left, w.strayObjects(t)...)
}

// children are the processes that a side's workers have started: there is no reason for any.
func (w *world) children(role stack.Role) (children []string) {
	w.staff.Lock()
	defer w.staff.Unlock()
	processes, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, process := range processes {
		text, _ := os.ReadFile(process) // "" of one that has just ended
		_, after, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(after) // its state, its parent, …
		for _, worker := range w.workers[role] {
			if len(fields) > 1 && fields[1] == strconv.Itoa(worker.PID()) {
				children = append(children, fmt.Sprintf("the %s's worker has started a process: %s", role, text))
			}
		}
	}
	return children
}

// strayObjects are those that are in no chain, and uploads that nobody finishes.
func (w *world) strayObjects(t testing.TB) (stray []string) {
	t.Helper()
	b, err := w.Bucket(t.Context(), stack.Producer)
	require.NoError(t, err)
	chains, err := stack.Chains(t.Context(), b)
	require.NoError(t, err)
	needed := map[string]bool{catalog.Key: true}
	for _, c := range chains {
		for _, o := range c.Restoring() {
			needed[o.Key] = true
		}
	}
	for o, err := range b.List(t.Context(), "") {
		require.NoError(t, err)
		if !needed[o.Key] && !strings.HasPrefix(o.Key, "lfs/") {
			stray = append(stray, o.Key)
		}
	}
	_, err = b.AbortUploads(t.Context(), -time.Hour, func(key string) bool {
		stray = append(stray, "an incomplete upload of "+key)
		return false
	})
	require.NoError(t, err)
	return stray
}

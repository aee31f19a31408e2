package faults_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/internal/testserver/temporalproxy"
)

const (
	// endPatience is longer than DRAIN_TIMEOUT, and what a worker does after that.
	endPatience = 20 * time.Second
	// zombieTime is how long a worker stands still that comes back.
	zombieTime = time.Minute
)

// otherHosts are other hosts than the one where a side's workers share a work directory.
type otherHosts struct {
	started int
	// workdirs are those of the workers there.
	workdirs map[*stack.Worker]string
}

// startElsewhere starts one more worker of a side as if on another host: none of the others sees its files. What is given here
// replaces what the world's setup has.
func (w *world) startElsewhere(t testing.TB, role stack.Role, environ ...string) *stack.Worker {
	t.Helper()
	w.afar.started++
	dir := fmt.Sprintf("%s-%d", w.WorkDir(role), w.afar.started)
	worker := w.startWorker(t, role, append(environ, "WORKDIR="+dir)...)
	if w.afar.workdirs == nil {
		w.afar.workdirs = map[*stack.Worker]string{}
	}
	w.afar.workdirs[worker] = dir
	return worker
}

// atWorker is at for what happens to the worker that has the task.
func (r *trial) atWorker(role stack.Role, name string, when temporalproxy.When, do func(*stack.Worker)) <-chan struct{} {
	return r.temporal[role].OnceOf(temporalproxy.Moment{Type: name, When: when}, func(identity string) {
		before, _, _ := strings.Cut(identity, "@")
		pid, _ := strconv.Atoi(before)
		r.staff.Lock()
		workers := r.workers[role]
		r.staff.Unlock()
		for _, worker := range workers {
			if worker.PID() == pid {
				do(worker)
				return
			}
		}
		assert.Fail(r, "a worker that nobody knows", "%q has %s", identity, name)
	})
}

// killOne ends one of several workers (SIGKILL).
func (w *world) killOne(role stack.Role, worker *stack.Worker) {
	w.staff.Lock()
	defer w.staff.Unlock()
	worker.Kill()
	w.forget(role, worker)
}

// loseHost is killOne, and nobody sees its files again.
func (w *world) loseHost(t testing.TB, role stack.Role, worker *stack.Worker) {
	t.Helper()
	w.killOne(role, worker)
	dir, ok := w.afar.workdirs[worker]
	if !ok {
		dir = w.WorkDir(role)
	}
	assert.NoError(t, os.RemoveAll(dir))
}

// forget is for who holds staff.
func (w *world) forget(role stack.Role, worker *stack.Worker) {
	var others []*stack.Worker
	for _, other := range w.workers[role] {
		if other != worker {
			others = append(others, other)
		}
	}
	w.workers[role] = others
}

// haltAll has a side's workers stand still (SIGSTOP), and returns them.
func (w *world) haltAll(t testing.TB, role stack.Role) []*stack.Worker {
	t.Helper()
	w.signal(t, role, syscall.SIGSTOP)
	w.staff.Lock()
	defer w.staff.Unlock()
	return w.workers[role]
}

// goOnWithout has another worker go on while some stand still, and moves all sources. Then those come back (SIGCONT).
func (r *trial) goOnWithout(role stack.Role, still []*stack.Worker) {
	r.startElsewhere(r, role)
	time.Sleep(zombieTime / 2)
	r.change(r)
	time.Sleep(zombieTime / 2)
	for _, worker := range still {
		assert.NoError(r, syscall.Kill(worker.PID(), syscall.SIGCONT))
	}
}

// awaitEnds waits until a side's workers have ended that were told to, and sees to it that they say that all is well.
func (w *world) awaitEnds(t testing.TB, role stack.Role) {
	t.Helper()
	w.staff.Lock()
	defer w.staff.Unlock()
	for _, worker := range w.workers[role] {
		select {
		case <-worker.Exited():
			assert.NoError(t, worker.Err())
		case <-time.After(endPatience):
			assert.Fail(t, "a worker does not end that was told to")
		}
	}
	w.workers[role] = nil
}

// restaff ends workers of a side that a cell before has left too many, or elsewhere, as they are ended where nothing is wrong.
func (w *world) restaff(t testing.TB, role stack.Role) {
	t.Helper()
	for _, worker := range w.workers[role] {
		if w.afar.workdirs[worker] != "" || len(w.workers[role]) > max(1, w.setup.workers) {
			require.NoError(t, worker.Stop())
			w.forget(role, worker)
		}
	}
	for range max(1, w.setup.workers) - len(w.workers[role]) {
		w.startWorker(t, role)
	}
}

// startTemporal starts the server again that was stopped.
func (r *trial) startTemporal() {
	r.Helper()
	require.NoError(r, r.Temporal.Start(r.Context()))
}

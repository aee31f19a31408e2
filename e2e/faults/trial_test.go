package faults_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/app-sre/git-partition-sync/internal/testserver/faultproxy"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/internal/testserver/temporalproxy"
	"github.com/app-sre/git-partition-sync/internal/testserver/toxiproxy"
)

// strikePatience is how long a fault may take to find its moment.
const strikePatience = 3 * time.Minute

// trial is what a cell's fault is made with.
type trial struct {
	testing.TB
	*world
	mu    sync.Mutex // of undos
	undos []func()
}

// later has something done when the fault is over, the last first.
func (r *trial) later(undo func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.undos = append(r.undos, undo)
}

func (r *trial) undo() {
	r.mu.Lock()
	undos := r.undos
	r.undos = nil
	r.mu.Unlock()
	for _, undo := range slices.Backward(undos) {
		undo()
	}
}

// on has a fault happen on a link until it is over.
func (r *trial) on(l link, f faultproxy.Fault) *faultproxy.Active {
	active := r.links[l].Add(f)
	r.later(active.Remove)
	return active
}

// toxic has something happen to a link's connections until it is over.
func (r *trial) toxic(l link, d toxiproxy.Direction, t toxiproxy.Toxic) {
	remove, err := r.network[l].Add(d, t)
	assert.NoError(r, err)
	if err == nil {
		r.later(func() { assert.NoError(r, remove()) })
	}
}

// refuse has a link take no connections, and ends those that there are, until it is over.
func (r *trial) refuse(l link) {
	assert.NoError(r, r.network[l].Refuse())
	r.later(func() { assert.NoError(r, r.network[l].Accept()) })
}

// reset has the connections of a link end with a reset when they end, until it is over.
func (r *trial) reset(l link) {
	undo, err := r.network[l].Reset()
	assert.NoError(r, err)
	if err == nil {
		r.later(func() { assert.NoError(r, undo()) })
	}
}

// at has do called at the next such moment of a side's workers.
func (r *trial) at(role stack.Role, name string, when temporalproxy.When, do func()) <-chan struct{} {
	return r.temporal[role].Once(temporalproxy.Moment{Type: name, When: when}, do)
}

// await waits until the fault has found its moment.
func (r *trial) await(struck <-chan struct{}) {
	r.Helper()
	select {
	case <-struck:
	case <-time.After(strikePatience):
		assert.Fail(r, "the fault has not found its moment")
	}
}

// until waits until something is so.
func (r *trial) until(isSo func() bool) {
	r.Helper()
	r.untilWithin(strikePatience, isSo)
}

func (r *trial) untilWithin(patience time.Duration, isSo func() bool) {
	r.Helper()
	for deadline := time.Now().Add(patience); !isSo(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			assert.Fail(r, "the fault has not found its moment")
			return
		}
	}
}

package faults_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// TestMatrix tries the cells: all of them with -whole, else the fast ones. A cell alone is -run 'TestMatrix/.*/TABLE/STEP/FAULT'.
func TestMatrix(t *testing.T) {
	known := map[string]result{}
	if *rest {
		var err error
		known, err = readResults()
		require.NoError(t, err)
	}
	var cells []cell
	for _, c := range matrix() {
		if _, ok := known[c.name()]; !ok && (*whole || c.fast) {
			cells = append(cells, c)
		}
	}
	for i, batch := range batches(cells) {
		t.Run(fmt.Sprintf("world-%d", i), func(t *testing.T) {
			t.Parallel()
			var w *world
			for _, c := range batch {
				ok := t.Run(c.name(), func(t *testing.T) { // begins a world only for cells that -run selects
					if w == nil || w.spoilt {
						w = begin(t, c.setup)
					}
					w.try(t, c)
				})
				if !ok && w != nil {
					w.end()
				}
			}
			if w != nil {
				w.end()
			}
		})
	}
}

// try has the fault of a cell strike, and sees to it that all is well afterwards, with nobody's help.
func (w *world) try(t *testing.T, c cell) {
	w.spoilt = true
	defer func() {
		if w.spoilt {
			assert.NoError(t, seen.record(c, nil))
		}
	}()
	for _, role := range stack.Roles {
		w.restaff(t, role)
	}
	w.awaitInSync(t, defaultPatience) // what a cell before has left over is not this one's
	before := w.retries(t)
	r := &trial{TB: t, world: w}
	defer r.undo() // also where strike has ended the test
	stop := sync.OnceFunc(w.startWriter(t))
	defer stop()
	c.strike(r)
	r.undo()
	stop()
	lifted := time.Now()
	patience := c.patience
	if patience == 0 {
		patience = defaultPatience
	}
	w.awaitInSync(t, patience)
	healed := time.Since(lifted)
	w.requireTrueHistory(t)
	w.requireNothingLeft(t)
	w.awaitInSync(t, defaultPatience)
	if t.Failed() {
		return
	}
	w.spoilt = false
	retries := w.retries(t) - before
	require.NoError(t, seen.record(c, &result{Seconds: healed.Seconds(), Retries: retries}))
	t.Logf("healed after %.1f s, with %d retries", healed.Seconds(), retries)
}

// TestCellsAreNamedOnce: the name is what is selected by, and the place in the table.
func TestCellsAreNamedOnce(t *testing.T) {
	names := map[string]bool{}
	for _, c := range matrix() {
		require.False(t, names[c.name()], c.name())
		names[c.name()] = true
	}
}

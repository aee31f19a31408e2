package faults_test

import (
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/internal/testserver/temporalproxy"
)

// mostAhead is how far the producer's clock may be ahead of the consumer's: docs/security.md.
const mostAhead = 24 * time.Hour

// clocksApart is how far the clocks of two producers are apart.
const clocksApart = 5 * time.Minute

// workerClockCells put the clocks of workers ahead or back, and right again.
func workerClockCells() (cells []cell) {
	clocks := []struct {
		is    string
		ahead time.Duration
	}{{"behind by an hour", -time.Hour}, {"behind by two days", -48 * time.Hour}, {"ahead by an hour", time.Hour}}
	for _, role := range stack.Roles {
		for _, clock := range clocks {
			cells = append(cells, cell{
				table: hosts, step: string(role), fault: "clock " + clock.is, setup: setup{clocks: true}, patience: afterRefusal,
				strike: func(r *trial) { r.worksByClock(role, clock.ahead, func() { r.set(r.clocks[role], clock.ahead) }) },
			})
		}
	}
	for _, t := range bulkSteps {
		if t.step != "Upload" && t.step != "Push" {
			continue
		}
		for _, clock := range clocks[:2] {
			cells = append(cells, cell{
				table: hosts, step: string(t.role) + "'s " + t.step, fault: "clock " + clock.is + " halfway", setup: setup{clocks: true}, patience: afterRefusal,
				strike: func(r *trial) {
					r.worksByClock(t.role, clock.ahead, func() {
						struck := r.amid(t, func() { r.set(r.clocks[t.role], clock.ahead) })
						r.change(r)
						r.await(struck)
					})
				},
			})
		}
	}
	return append(cells, cell{
		table: hosts, step: "producer", fault: "clocks of two are five minutes apart", setup: setup{clocks: true},
		strike: (*trial).worksByTwoClocks,
	})
}

// worksByClock has everything move while a side's clock is wrong, unless objects then are of the future, and again when it is right.
func (r *trial) worksByClock(role stack.Role, ahead time.Duration, step func()) {
	log := r.logOf(role)
	step()
	r.change(r)
	if role == stack.Consumer && -ahead > mostAhead {
		log.await("FutureObject")
	} else {
		r.untilQuietSynced()
	}
	log.awaitTime(ahead)
	r.set(r.clocks[role], 0)
	r.change(r)
}

// untilQuietSynced waits until there is nothing to do but what the writer has left.
func (r *trial) untilQuietSynced() {
	r.Helper()
	for _, repo := range []string{quiet, large, refs} {
		r.untilSynced(repo)
	}
}

// worksByTwoClocks has everything move until both of two producers have uploaded.
func (r *trial) worksByTwoClocks() {
	const rounds = 20 // by chance one of the two has no part in these once in 2^19 times
	ahead := r.newClock(r, "another-producer")
	other := r.startElsewhere(r, stack.Producer, ahead.environ())
	log := r.logOf(stack.Producer)
	r.set(ahead, clocksApart)
	uploads := map[*stack.Worker]int{}
	for range rounds {
		uploaded := r.atWorker(stack.Producer, "Upload", temporalproxy.Done, func(w *stack.Worker) { uploads[w]++ })
		r.change(r)
		r.await(uploaded)
		r.untilQuietSynced()
		if len(uploads) > 1 {
			break
		}
	}
	assert.Len(r, uploads, 2, "who has uploaded")
	assert.Contains(r, uploads, other)
	log.awaitTime(clocksApart)
}

package faults_test

import (
	"net/http"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/internal/testserver/toxiproxy"
)

// transferSize is more than there is room for in the buffers on the way.
const transferSize = 16 << 20

// flow is what moves over a link.
type flow struct {
	step      string
	link      link
	is        asks
	direction toxiproxy.Direction
	bytes     int // that have come when something happens; few for what is small
	// silence is how long the product waits for the next byte; 0: for too long to be tried here.
	silence time.Duration
}

var flows = []flow{
	{"pack from the source", toSource, about(quiet).and(asksForPack), toxiproxy.Answers, 1 << 20, 5 * time.Minute},
	{"LFS object from the source", toSource, lfsObject(http.MethodGet), toxiproxy.Answers, 1 << 20, 5 * time.Minute},
	{"answer of GraphQL", toGraphQL, ends(http.MethodPost, graphQLPath), toxiproxy.Answers, 1, 30 * time.Second},
	{"object to the bucket", producerToBucket, about(quiet).and(puts), toxiproxy.Requests, 1 << 20, time.Minute},
	{"listing for the consumer", consumerToBucket, lists, toxiproxy.Answers, 1, time.Minute},
	{"object from the bucket", consumerToBucket, about(quiet).and(stored(http.MethodGet, "")), toxiproxy.Answers, 1 << 20, time.Minute},
	{"pack to the destination", toDestination, about(quiet).and(pushes), toxiproxy.Requests, 1 << 20, 5 * time.Minute},
	{"answer to a pack", toDestination, about(quiet).and(pushes), toxiproxy.Answers, 1, 0},
	{"LFS object to the destination", toDestination, lfsObject(http.MethodPut), toxiproxy.Requests, 1 << 20, 5 * time.Minute},
}

// small tells whether all that moves fits into the buffers.
func (t flow) small() bool { return t.bytes == 1 }

// cutAfter is how much more comes.
func (t flow) cutAfter() int { return t.bytes/4 + 64 }

// during has do called in the middle of the next such flow, and returns when that has happened.
func (t flow) during(r *trial, do func()) *exchange {
	r.Helper()
	x := r.during(t.link, t.is, t.direction, t.bytes, do)
	r.changeBy(r, transferSize)
	r.await(x.middle)
	return x
}

// connectionCells spoil what moves on each link, in the middle.
func connectionCells() (cells []cell) {
	for _, t := range flows {
		add := func(fault string, strike func(*trial)) {
			cells = append(cells, cell{
				table: "connections", step: t.step, fault: fault, patience: 7 * time.Minute, strike: strike,
				fast: t.step == "pack from the source" && fault == "reset",
			})
		}
		add("reset", func(r *trial) {
			r.reset(t.link)
			t.breaks(r)
		})
		add("cut off", t.breaks)
		if t.silence != 0 {
			add("nothing moves", t.stalls)
		}
		if !t.small() {
			add("1 kB per second", t.isSlow)
		}
	}
	return append(cells, linkCells()...)
}

func (t flow) breaks(r *trial) {
	begun := time.Now()
	x := t.during(r, func() { r.toxic(t.link, t.direction, toxiproxy.CutAfter(t.cutAfter())) })
	r.await(x.over)
	if t.small() {
		r.awaitFailedStep(t.link, begun)
	} else {
		assert.False(r, x.whole.Load(), "it came as a whole")
	}
}

// stalls waits until the side gives up by itself.
func (t flow) stalls(r *trial) {
	x := t.during(r, func() { r.toxic(t.link, t.direction, toxiproxy.Stall()) })
	begun := time.Now()
	if t.small() {
		time.Sleep(t.silence)
		r.awaitFailedStep(t.link, begun)
		return
	}
	select {
	case <-x.over:
		assert.False(r, x.whole.Load(), "it came as a whole")
		assert.Greater(r, time.Since(begun), t.silence-5*time.Second, "it was given up early")
	case <-time.After(t.silence + 30*time.Second):
		assert.Fail(r, "it is not given up")
	}
}

const slowFor = 30 * time.Second

// isSlow sees to it that what is slow is not taken for dead.
func (t flow) isSlow(r *trial) {
	begun := time.Now()
	x := t.during(r, func() { r.toxic(t.link, t.direction, toxiproxy.Slow(1)) })
	select {
	case <-x.over:
		assert.Fail(r, "it is over")
	case <-time.After(slowFor):
	}
	r.undo()
	r.await(x.over)
	r.requireNothingFailed(begun)
}

// awaitFailedStep waits until a link's side has noticed.
func (r *trial) awaitFailedStep(l link, since time.Time) {
	r.Helper()
	assert.Eventually(r, func() bool { return len(r.failedSteps(r, sideOf(l), since)) > 0 }, strikePatience, time.Second, "no step has failed")
}

// requireNothingFailed is for what is no fault to a side. That a machine is too busy for Temporal is none of it.
func (r *trial) requireNothingFailed(since time.Time) {
	r.Helper()
	for _, role := range stack.Roles {
		for _, f := range r.failedSteps(r, role, since) {
			assert.Equal(r, "TemporalLost", f.Kind, "%s: %s", f.Step, f.Error)
		}
	}
}

func sideOf(l link) stack.Role {
	if l == consumerToBucket || l == toDestination {
		return stack.Consumer
	}
	return stack.Producer
}

// linkCells are of whole links.
func linkCells() (cells []cell) {
	for _, l := range []link{toSource, toGraphQL, producerToBucket, consumerToBucket, toDestination} {
		cells = append(cells, cell{
			table: "connections", step: string(l), fault: "2 s late",
			strike: func(r *trial) {
				begun := time.Now()
				for _, d := range []toxiproxy.Direction{toxiproxy.Requests, toxiproxy.Answers} {
					r.toxic(l, d, toxiproxy.Late(2*time.Second))
				}
				r.change(r)
				time.Sleep(slowFor)
				r.requireNothingFailed(begun)
			},
		}, cell{
			table: "connections", step: string(l), fault: "refused for 20 s", patience: 7 * time.Minute,
			strike: func(r *trial) {
				begun := time.Now()
				r.refuse(l)
				r.change(r)
				time.Sleep(20 * time.Second)
				r.awaitFailedStep(l, begun)
			},
		})
	}
	return cells
}

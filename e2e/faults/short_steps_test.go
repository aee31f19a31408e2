package faults_test

import (
	"time"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/internal/testserver/temporalproxy"
)

// aroundShort are the steps between which short ones are parts of the workflow's tasks.
var aroundShort = map[stack.Role][]string{
	stack.Producer: {"Clone", "Upload"},
	stack.Consumer: {"Download", "Push"},
}

// shortCells kill, part and stop workers where short steps run. In all other cells each step has a task, so that each can be struck.
func shortCells() (cells []cell) {
	for _, role := range stack.Roles {
		for _, step := range aroundShort[role] {
			short := func(fault string, strike func(*trial)) {
				c := atStep(role, step+" with short steps", fault, strike)
				c.setup.shortSteps = true
				cells = append(cells, c)
			}
			for _, when := range aroundWork {
				short("SIGKILL when "+string(when), func(r *trial) { r.killedAt(role, step, when) })
			}
			short("SIGKILL of one of two hosts", func(r *trial) {
				r.startElsewhere(r, role)
				killed := r.atWorker(role, step, temporalproxy.Done, func(w *stack.Worker) { r.loseHost(r, role, w) })
				r.change(r)
				r.await(killed)
			})
			short("cut off from Temporal for 40 s", func(r *trial) {
				cut := r.at(role, step, temporalproxy.Reported, r.temporal[role].Cut)
				r.change(r)
				r.await(cut)
				r.later(r.temporal[role].Restore)
				time.Sleep(away)
			})
		}
	}
	return cells
}

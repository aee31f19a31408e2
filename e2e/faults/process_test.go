package faults_test

import (
	"syscall"
	"time"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/internal/testserver/temporalproxy"
)

// steps are the activities of each side, and the workflows whose tasks lie between them.
var steps = map[stack.Role][]string{
	stack.Producer: {"PlanUploads", "Clone", "FindLFS", "UploadLFS", "Package", "Encrypt", "Upload", "Cleanup", "Publish", "Prune", "ProducerSync", "ProduceProject"},
	stack.Consumer: {"AwaitCatalog", "ReadSchedule", "PlanPushes", "Download", "Decrypt", "PushLFS", "Push", "Cleanup", "ConsumerPoll", "ConsumerSync", "ConsumeProject"},
}

// withEffects are those that change something beside the worker's own files, or decide what is changed.
var withEffects = map[stack.Role][]string{
	stack.Producer: {"PlanUploads", "Clone", "UploadLFS", "Upload", "Publish", "Prune", "ProducerSync", "ProduceProject"},
	stack.Consumer: {"PlanPushes", "Download", "PushLFS", "Push", "ConsumerSync", "ConsumeProject"},
}

// away is longer than Temporal waits for a heartbeat.
const away = 40 * time.Second

// aroundWork are the moments at which a worker has a task and does not work on it.
var aroundWork = []temporalproxy.When{temporalproxy.HandedOut, temporalproxy.Done, temporalproxy.Reported}

// atStep makes a cell of the table of processes.
func atStep(role stack.Role, step, fault string, strike func(*trial)) cell {
	return cell{table: "processes", step: string(role) + "'s " + step, fault: fault, patience: 3 * time.Minute, strike: strike}
}

// processCells end, stop and part workers and Temporal at every step.
func processCells() (cells []cell) {
	for _, role := range stack.Roles {
		for _, step := range steps[role] {
			for _, when := range aroundWork {
				killed := atStep(role, step, "SIGKILL when "+string(when), func(r *trial) { r.killedAt(role, step, when) })
				killed.fast = step == "Push" && when == temporalproxy.Done || step == "Upload" && when == temporalproxy.HandedOut
				cells = append(cells, killed)
			}
		}
		for _, step := range withEffects[role] {
			cells = append(cells, faultsOfEffects(role, step)...)
		}
	}
	for _, step := range []string{"ReadSchedule", "PushEvents"} {
		for _, when := range aroundWork {
			cells = append(cells, atStep(stack.Producer, step, "SIGKILL when "+string(when), func(r *trial) { r.killedAtPush(step, when) }))
		}
	}
	for _, t := range bulkSteps {
		cells = append(cells, faultsOfTransfers(t)...)
	}
	return append(cells, shortCells()...)
}

// killedAt has all workers of a side killed, and another one start where they were.
func (r *trial) killedAt(role stack.Role, step string, when temporalproxy.When) {
	killed := r.at(role, step, when, func() { r.kill(role) })
	r.change(r)
	r.await(killed)
	r.startWorker(r, role)
}

// faultsOfEffects have a step's result come late, twice or not at all.
func faultsOfEffects(role stack.Role, step string) []cell {
	done := func(fault string, strike func(r *trial, at func(do func()))) cell {
		return atStep(role, step, fault, func(r *trial) {
			strike(r, func(do func()) {
				struck := r.at(role, step, temporalproxy.Done, do)
				r.change(r)
				r.await(struck)
			})
		})
	}
	return []cell{
		atStep(role, step, "SIGKILL twice", func(r *trial) {
			r.killedAt(role, step, temporalproxy.Done)
			r.killedAt(role, step, temporalproxy.HandedOut)
		}),
		atStep(role, step, "SIGKILL of one of two hosts", func(r *trial) {
			r.startElsewhere(r, role)
			killed := r.atWorker(role, step, temporalproxy.Done, func(w *stack.Worker) { r.loseHost(r, role, w) })
			r.change(r)
			r.await(killed)
		}),
		done("SIGKILL of both sides", func(r *trial, at func(func())) {
			at(func() {
				r.kill(stack.Producer)
				r.kill(stack.Consumer)
			})
			r.startWorker(r, stack.Producer)
			r.startWorker(r, stack.Consumer)
		}),
		done("SIGKILL with Temporal", func(r *trial, at func(func())) {
			at(func() {
				r.Temporal.Stop()
				r.kill(role)
			})
			r.startTemporal()
			r.startWorker(r, role)
		}),
		done("Temporal restarted", func(r *trial, at func(func())) {
			at(r.Temporal.Stop)
			r.startTemporal()
		}),
		done("Temporal away for 40 s", func(r *trial, at func(func())) {
			at(r.Temporal.Stop)
			time.Sleep(away)
			r.startTemporal()
		}),
		done("cut off from Temporal for 40 s", func(r *trial, at func(func())) {
			at(r.temporal[role].Cut)
			r.later(r.temporal[role].Restore)
			time.Sleep(away)
		}),
		done("SIGSTOP for 60 s, another goes on", func(r *trial, at func(func())) {
			var still []*stack.Worker
			at(func() { still = r.haltAll(r, role) })
			r.goOnWithout(role, still)
		}),
	}
}

// faultsOfTransfers come in the middle of one.
func faultsOfTransfers(t bulkStep) []cell {
	return []cell{
		atStep(t.role, t.step, "SIGKILL in the middle", func(r *trial) {
			killed := r.amid(t, func() { r.kill(t.role) })
			r.change(r)
			r.await(killed)
			r.startWorker(r, t.role)
		}),
		atStep(t.role, t.step, "SIGKILL of one of two on a host", func(r *trial) {
			r.startWorker(r, t.role)
			killed := r.atWorker(t.role, t.step, temporalproxy.Done, func(w *stack.Worker) { r.killOne(t.role, w) })
			r.change(r)
			r.await(killed)
		}),
		atStep(t.role, t.step, "SIGTERM", func(r *trial) {
			told := r.amid(t, func() { r.signal(r, t.role, syscall.SIGTERM) })
			r.change(r)
			r.await(told)
			r.awaitEnds(r, t.role)
			r.startWorker(r, t.role)
		}),
		atStep(t.role, t.step, "SIGTERM, and DRAIN_TIMEOUT is over", func(r *trial) {
			ended := r.amid(t, func() {
				r.signal(r, t.role, syscall.SIGTERM)
				r.awaitEnds(r, t.role)
			})
			r.change(r)
			r.await(ended)
			r.startWorker(r, t.role)
		}),
		atStep(t.role, t.step, "SIGSTOP in the middle for 60 s, another goes on", func(r *trial) {
			var still []*stack.Worker
			stopped := r.amid(t, func() { still = r.haltAll(r, t.role) })
			r.change(r)
			r.await(stopped)
			r.goOnWithout(t.role, still)
		}),
	}
}

// Package workflows orchestrates the syncs. It is deterministic: whatever touches a clock, a network or a disk is an
// activity.
//
// On each side, one parent workflow finds the branches that have to move, and starts a child workflow for each of
// them. The child's activities are the steps.
package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// Registry is where a role's workflows are registered: a worker, or a test environment.
type Registry interface {
	RegisterWorkflow(w any)
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// RegisterProducer registers the workflows of the producer's side.
func RegisterProducer(r Registry) {
	r.RegisterWorkflow(ProducerSync)
	r.RegisterWorkflow(ProduceProject)
	r.RegisterWorkflow(PushEvents)
	registerPause(r)
}

// RegisterConsumer registers the workflows of the consumer's side.
func RegisterConsumer(r Registry) {
	r.RegisterWorkflow(ConsumerSync)
	r.RegisterWorkflow(ConsumeProject)
	r.RegisterWorkflow(ConsumerPoll)
	registerPause(r)
}

// registerPause registers what both sides have: where both are registered, one of them does.
func registerPause(r Registry) {
	r.RegisterWorkflowWithOptions(PauseSync, workflow.RegisterOptions{Name: contract.Pause, DisableAlreadyRegisteredCheck: true})
}

// Package workflows orchestrates the syncs. It is deterministic: whatever touches a
// clock, a network or a disk is an activity.
//
// On each side one parent workflow finds what has to move and starts one child workflow
// for each branch that does; the child's activities are the steps.
package workflows

import (
	"fmt"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// Task queues of the two sides.
const (
	ProducerTaskQueue = "git-partition-sync-producer"
	ConsumerTaskQueue = "git-partition-sync-consumer"
)

// Workflow IDs of the parents. A child's ID names the destination branch and is the
// lock on it: no two children of one side ever work on the same branch.
const (
	ProducerSyncID = "producer-sync"
	ConsumerSyncID = "consumer-sync"
)

// ProduceProjectID is the ID of the child that moves a branch into the bucket.
func ProduceProjectID(destination project.Branch) string {
	return "produce/" + ascii(destination.String())
}

// ConsumeProjectID is the ID of the child that moves a branch out of the bucket.
func ConsumeProjectID(destination project.Branch) string {
	return "consume/" + ascii(destination.String())
}

// ascii writes other bytes, and the percent sign, as URLs do: Temporal's clients send workflow IDs as
// gRPC headers, which can hold nothing else.
func ascii(s string) string {
	var out strings.Builder
	for _, b := range []byte(s) {
		if b == '%' || b > '~' {
			fmt.Fprintf(&out, "%%%02X", b)
		} else {
			out.WriteByte(b)
		}
	}
	return out.String()
}

// Registry is where a role's workflows are registered: a worker, or a test's environment.
type Registry interface {
	RegisterWorkflow(w any)
}

// RegisterProducer registers the workflows of the producer's side.
func RegisterProducer(r Registry) {
	r.RegisterWorkflow(ProducerSync)
	r.RegisterWorkflow(ProduceProject)
}

// RegisterConsumer registers the workflows of the consumer's side.
func RegisterConsumer(r Registry) {
	r.RegisterWorkflow(ConsumerSync)
	r.RegisterWorkflow(ConsumeProject)
}

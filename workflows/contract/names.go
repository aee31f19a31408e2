// Package contract is what is said to the workflows and heard from them: their names, inputs
// and reports. Whoever only starts and watches them needs no more than this.
package contract

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// Names of the workflows.
const (
	ProducerSync   = "ProducerSync"
	ProduceProject = "ProduceProject"
	ConsumerSync   = "ConsumerSync"
	ConsumeProject = "ConsumeProject"
)

// Search attributes, all of type Keyword. They are optional: a namespace where they are not
// registered would refuse to start workflows with them, so that whoever starts a parent says
// whether they are there.
var (
	AttributeRole        = temporal.NewSearchAttributeKeyKeyword("SyncRole")
	AttributeDestination = temporal.NewSearchAttributeKeyKeyword("SyncDestination")
	AttributeOutcome     = temporal.NewSearchAttributeKeyKeyword("SyncOutcome")
)

// Values of the search attributes.
const (
	RoleProducer = "producer"
	RoleConsumer = "consumer"

	OutcomeSynced = "synced"
	OutcomeFailed = "failed"
)

// Task queues of the two sides.
const (
	ProducerTaskQueue = "git-partition-sync-producer"
	ConsumerTaskQueue = "git-partition-sync-consumer"
)

// ScanQueue is the task queue of the scans that are made for workflows of another queue. They have
// one of their own, so that steps, which may take hours, leave them room.
func ScanQueue(taskQueue string) string { return taskQueue + "/scans" }

// Workflow IDs of the parents. A child's ID names the destination branch and is the
// lock on it: no two children of one side ever work on the same branch.
const (
	ProducerSyncID = "producer-sync"
	ConsumerSyncID = "consumer-sync"
)

// ProduceProjectID is the ID of the child that moves a branch into the bucket. It is the same for all
// spellings of the branch's project.
func ProduceProjectID(destination project.Branch) string {
	return "produce/" + ascii(destination.Identity().String())
}

// ConsumeProjectID is the ID of the child that moves a branch out of the bucket, as ProduceProjectID.
func ConsumeProjectID(destination project.Branch) string {
	return "consume/" + ascii(destination.Identity().String())
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

// Package contract is the interface of the workflows: their names, inputs and reports. Programs that only start and
// watch them need nothing else.
package contract

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// Role is a side of the partition, by its names.
type Role struct {
	Name      string // what commands, metrics and AttributeRole call it
	TaskQueue string
	Parent    string // the workflow that runs a cycle
	ParentID  string // the ID of that workflow, and of the schedule that starts it
	Child     string // the workflow that moves one branch
	childIDs  string // what the IDs of those begin with
	Poll      string // the workflow that waits for news between two cycles; empty if the role has none
	PollID    string // the ID of that workflow
}

// The two roles.
var (
	Producer = Role{
		Name: "producer", TaskQueue: "git-partition-sync-producer", Parent: "ProducerSync", ParentID: "producer-sync", Child: "ProduceProject", childIDs: "produce/",
	}
	Consumer = Role{
		Name: "consumer", TaskQueue: "git-partition-sync-consumer", Parent: "ConsumerSync", ParentID: "consumer-sync", Child: "ConsumeProject", childIDs: "consume/",
		Poll: "ConsumerPoll", PollID: "consumer-poll",
	}
)

// ChildID is the ID of the child that moves a branch, and the lock on it: no two children of one side ever work on the same
// branch. It is the same for all spellings of the branch's project.
func (r Role) ChildID(destination project.Branch) string {
	return r.childIDs + escapeNonASCII(destination.Identity().String())
}

// Search attributes, all of type Keyword. They are optional: a namespace where they are not
// registered would refuse to start workflows with them, so that each plan of a cycle says whether
// they are there.
var (
	AttributeRole        = temporal.NewSearchAttributeKeyKeyword("SyncRole")
	AttributeDestination = temporal.NewSearchAttributeKeyKeyword("SyncDestination")
	AttributeOutcome     = temporal.NewSearchAttributeKeyKeyword("SyncOutcome")
)

// Attributes are the names of these.
func Attributes() []string {
	return []string{AttributeRole.GetName(), AttributeDestination.GetName(), AttributeOutcome.GetName()}
}

// Values of AttributeOutcome.
const (
	OutcomeSynced = "synced"
	OutcomeFailed = "failed"
)

// ScanQueue is the task queue for the scans of workflows on another queue. Scans have a queue of their own so that
// they do not wait behind steps, which may take hours.
func ScanQueue(taskQueue string) string { return taskQueue + "/scans" }

// escapeNonASCII escapes everything but ASCII, and the percent sign, as URLs do. Temporal's clients send workflow IDs
// as gRPC headers, which must be ASCII.
func escapeNonASCII(s string) string {
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

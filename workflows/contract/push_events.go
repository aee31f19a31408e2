package contract

import "fmt"

// The producer's push events: whoever hears of pushes to sources signals the workflow PushEvents, and starts it if it does not
// run.
const (
	PushEvents   = "PushEvents"
	PushEventsID = "producer-events"
	// SignalPush has a Push as its argument.
	SignalPush = "push"
)

// Push names the destinations ("group/name@branch") of syncs whose sources were pushed to.
type Push struct {
	Destinations []string `json:"destinations"`
}

// PushEventsInput is empty but for a run that goes on with what another one has left.
type PushEventsInput struct {
	// Pending are the destinations that wait.
	Pending []string         `json:"pending,omitempty"`
	SoFar   PushEventsReport `json:"so_far,omitzero"`
}

// PushEventsReport is what came of push events.
type PushEventsReport struct {
	// Batches counts the cycles of some syncs each that were run.
	Batches int `json:"batches"`
	// Failed counts the failures in their reports. Each batch says what failed, and why.
	Failed int `json:"failed,omitempty"`
	// Dropped counts the destinations that were left to the next cycle of the schedule.
	Dropped int `json:"dropped,omitempty"`
}

// BatchID is the ID of the n-th batch that a PushEvents starts.
func BatchID(n int) string { return fmt.Sprintf("%s/%d", PushEventsID, n) }

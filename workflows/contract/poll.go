package contract

import "github.com/app-sre/git-partition-sync/internal/catalog"

// PollInput is the input of ConsumerPoll. All of it is optional.
type PollInput struct {
	// SearchAttributes is as in CycleInput.
	SearchAttributes bool `json:"search_attributes,omitempty"`
	// Seen is the catalog that was looked at last. It is set by a run that continues as a new one.
	Seen catalog.Seen `json:"seen,omitzero"`
}

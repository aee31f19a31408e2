package contract

import (
	"cmp"
	"errors"

	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

// QueryStatus is the query that parents and children answer with their Status.
const QueryStatus = "status"

// Status is how far a workflow is.
type Status struct {
	// Step is the step that a child is at, or what a parent is doing.
	Step string `json:"step"`
	// Report is a parent's report so far.
	Report *Report `json:"report,omitempty"`
	// AtWork are the parent's children that are at work.
	AtWork []string `json:"at_work,omitempty"`
}

// FailureOf returns the kind and the reason of the failure that Temporal has wrapped.
func FailureOf(err error) (kind, reason string) {
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return application.Type(), application.Message()
	}
	return plan.KindChildFailed, cmp.Or(FailureWords(err), cmp.Or(errors.Unwrap(err), err).Error())
}

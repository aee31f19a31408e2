package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
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

// progress shows in the UI, and to whoever queries, what a workflow is doing.
type progress struct {
	ctx    workflow.Context
	status Status
}

func showProgress(ctx workflow.Context) (*progress, error) {
	p := &progress{ctx: ctx}
	return p, workflow.SetQueryHandler(ctx, QueryStatus, func() (Status, error) { return p.status, nil })
}

// step says what the workflow does now.
func (p *progress) step(format string, args ...any) {
	p.status.Step = fmt.Sprintf(format, args...)
	workflow.SetCurrentDetails(p.ctx, p.status.Step)
}

// describe gives a child the words by which it is recognised in lists.
func describe(ctx workflow.Context, role string, c child, searchAttributes bool) workflow.Context {
	options := workflow.GetChildWorkflowOptions(ctx)
	options.StaticSummary = clip(fmt.Sprintf("%s: %s", c.destination, c.reason))
	options.Memo = map[string]any{"role": role, "destination": c.destination.String()}
	if searchAttributes {
		options.TypedSearchAttributes = temporal.NewSearchAttributes(
			AttributeRole.ValueSet(role), AttributeDestination.ValueSet(c.destination.String()))
	}
	return workflow.WithChildOptions(ctx, options)
}

// conclude notes how a child ended, where it was started with search attributes.
func conclude(ctx workflow.Context, err error) {
	if _, ok := workflow.GetTypedSearchAttributes(ctx).GetKeyword(AttributeDestination); !ok {
		return
	}
	outcome := OutcomeSynced
	if err != nil {
		outcome = OutcomeFailed
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, AttributeOutcome.ValueSet(outcome)); err != nil {
		workflow.GetLogger(ctx).Warn("The search attribute was not set", "error", err)
	}
}

// maxSummary is the size in bytes beyond which a server may refuse a summary: its setting
// limit.userMetadataSummarySize is 400.
const maxSummary = 400

// clip shortens a summary at the end of a character.
func clip(s string) string {
	if len(s) <= maxSummary {
		return s
	}
	const more = "..."
	return strings.ToValidUTF8(s[:maxSummary-len(more)], "") + more
}

package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// progress shows in the UI, and to whoever queries, what a workflow is doing.
type progress struct {
	ctx    workflow.Context
	status contract.Status
}

func showProgress(ctx workflow.Context) (*progress, error) {
	p := &progress{ctx: ctx}
	return p, workflow.SetQueryHandler(ctx, contract.QueryStatus, func() (contract.Status, error) { return p.status, nil })
}

// step says what the workflow does now.
func (p *progress) step(format string, args ...any) {
	p.status.Step = fmt.Sprintf(format, args...)
	workflow.SetCurrentDetails(p.ctx, foreign.Markdown(p.status.Step))
}

// withDescription gives a child the words by which it is recognised in lists.
func withDescription(ctx workflow.Context, role string, c child, searchAttributes bool) workflow.Context {
	options := workflow.GetChildWorkflowOptions(ctx)
	options.StaticSummary = summaryText(fmt.Sprintf("%s: %s", c.destination, c.reason))
	options.Memo = map[string]any{"role": role, "destination": c.destination.String()}
	if searchAttributes {
		options.TypedSearchAttributes = temporal.NewSearchAttributes(
			contract.AttributeRole.ValueSet(role), contract.AttributeDestination.ValueSet(c.destination.String()))
	}
	return workflow.WithChildOptions(ctx, options)
}

// recordOutcome notes how a child ended, where it was started with search attributes.
func recordOutcome(ctx workflow.Context, err error) {
	if _, ok := workflow.GetTypedSearchAttributes(ctx).GetKeyword(contract.AttributeDestination); !ok {
		return
	}
	outcome := contract.OutcomeSynced
	if err != nil {
		outcome = contract.OutcomeFailed
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, contract.AttributeOutcome.ValueSet(outcome)); err != nil {
		workflow.GetLogger(ctx).Warn("The search attribute was not set", "error", err)
	}
}

// maxSummary is the size in bytes beyond which a server may refuse a summary: its setting
// limit.userMetadataSummarySize is 400.
const maxSummary = 400

// summaryText makes a summary of a text that may have words of others in it: the UI shows summaries and details as
// Markdown, with links and pictures. It is shortened at the end of a character.
func summaryText(s string) string {
	s = foreign.Markdown(s)
	if len(s) <= maxSummary {
		return s
	}
	const more = "..."
	return foreign.Cut(s, maxSummary-len(more)) + more
}

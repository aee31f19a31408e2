package workflows

import (
	"fmt"

	"github.com/dustin/go-humanize"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// progress shows in the UI and to queries what a workflow is doing.
type progress struct {
	ctx    workflow.Context
	status contract.Status
}

func showProgress(ctx workflow.Context) (*progress, error) {
	p := &progress{ctx: ctx}
	return p, workflow.SetQueryHandler(ctx, contract.QueryStatus, func() (contract.Status, error) { return p.status, nil })
}

// step shows what the workflow does now.
func (p *progress) step(format string, args ...any) {
	p.status.Step = fmt.Sprintf(format, args...)
	workflow.SetCurrentDetails(p.ctx, foreign.Markdown(p.status.Step))
}

func sizeText(bytes int64) string { return humanize.Bytes(uint64(max(0, bytes))) }

// withDescription sets the summary, memo and search attributes by which people recognise a child in lists.
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

// recordOutcome sets the search attribute for how a child ended, if the child was started with search attributes.
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

// maxSummary is the largest size of a summary in bytes that servers accept: 400, their default of
// limit.userMetadataSummarySize.
const maxSummary = 400

// summaryText makes a summary of a text that may contain words of others. The UI shows summaries and details as
// Markdown, with links and pictures. It is cut at the end of a character.
func summaryText(s string) string {
	s = foreign.Markdown(s)
	if len(s) <= maxSummary {
		return s
	}
	const more = "..."
	return foreign.Cut(s, maxSummary-len(more)) + more
}

package command

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v3"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// branchStatus is what is known about a destination branch.
type branchStatus struct {
	Destination string    `json:"destination"`
	InSync      bool      `json:"in_sync"`
	Since       time.Time `json:"since,omitzero"` // of the last change of InSync that is known
	Reason      string    `json:"reason,omitempty"`
	Kind        string    `json:"kind,omitempty"`       // of what it fails with now, if Reason is a failure
	LastError   string    `json:"last_error,omitempty"` // what its last run ended with
	Workflow    string    `json:"workflow,omitempty"`   // of the last run
	// Source is what the producer's catalog says; nil at the producer, and where there is no catalog.
	Source *plan.SourceStatus `json:"source,omitempty"`
}

// withSource takes in what the producer's catalog says: a destination that has all that the bucket has is still behind if the
// source has moved since.
func (b branchStatus) withSource(s *plan.SourceStatus) *branchStatus {
	if b.Source = s; s != nil && !s.BehindSince.IsZero() {
		b.InSync, b.Since = false, s.BehindSince
	}
	return &b
}

func statusCommand() *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "show each sync as this side sees it: in sync or behind, since when, and the last error",
		Flags: []cli.Flag{outputFlag()},
		Action: withClient(func(ctx context.Context, c *cli.Command, s roleClient) error {
			branches, err := s.status(ctx)
			if err != nil {
				return err
			}
			if c.String("output") == formatJSON {
				return json.NewEncoder(os.Stdout).Encode(branches)
			}
			return printStatus(os.Stdout, branches)
		}),
	}
}

// status joins a plan, which says where each branch is, with the last runs of the children, which say since when and
// why.
func (s roleClient) status(ctx context.Context) ([]branchStatus, error) {
	report, err := s.runParts(ctx, contract.CycleInput{DryRun: true}, false)
	if err != nil {
		return nil, err
	}
	runs, err := s.lastRuns(ctx)
	if err != nil {
		return nil, err
	}
	branches := map[string]*branchStatus{}
	for _, b := range report.InSync {
		branches[b.Destination] = branchStatus{Destination: b.Destination, InSync: true, Reason: b.Reason, Since: b.Since}.withSource(b.Source)
	}
	for _, b := range report.Behind {
		branches[b.Destination] = branchStatus{Destination: b.Destination, Reason: b.Reason, Since: b.Since}.withSource(b.Source)
	}
	for _, f := range report.Failed {
		branches[f.Subject] = branchStatus{Destination: f.Subject, Reason: f.Reason, Kind: f.Kind}.withSource(report.Sources[f.Subject])
	}
	for destination, b := range branches {
		if err := s.addLastRun(ctx, b, runs[destinationIdentity(destination)]); err != nil {
			return nil, err
		}
	}
	sorted := make([]branchStatus, 0, len(branches))
	for _, b := range branches {
		sorted = append(sorted, *b)
	}
	slices.SortFunc(sorted, func(a, b branchStatus) int { return strings.Compare(a.Destination, b.Destination) })
	return sorted, nil
}

// addLastRun adds what the last run of a branch's child says.
func (s roleClient) addLastRun(ctx context.Context, b *branchStatus, run *workflow.WorkflowExecutionInfo) error {
	if run == nil {
		return nil
	}
	b.Workflow = run.Execution.WorkflowId
	if b.InSync || run.Status != enums.WORKFLOW_EXECUTION_STATUS_FAILED {
		return nil
	}
	err := s.GetWorkflow(ctx, run.Execution.WorkflowId, run.Execution.RunId).Get(ctx, nil)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		_, b.LastError = contract.FailureOf(err)
	}
	return nil
}

// lastRuns returns the newest execution of each branch's child, by the identity of the destination in its memo.
func (s roleClient) lastRuns(ctx context.Context) (map[string]*workflow.WorkflowExecutionInfo, error) {
	runs := map[string]*workflow.WorkflowExecutionInfo{}
	request := &workflowservice.ListWorkflowExecutionsRequest{Namespace: s.namespace, Query: fmt.Sprintf("WorkflowType = %q", s.Child)}
	for {
		page, err := s.ListWorkflow(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("list the syncs' workflows: %w", err)
		}
		for _, run := range page.Executions {
			destination := destinationIdentity(destinationInMemo(run))
			if last := runs[destination]; last == nil || run.StartTime.AsTime().After(last.StartTime.AsTime()) {
				runs[destination] = run
			}
		}
		if len(page.NextPageToken) == 0 {
			return runs, nil
		}
		request.NextPageToken = page.NextPageToken
	}
}

// destinationIdentity returns the same name for all spellings of a destination.
func destinationIdentity(destination string) string {
	b, err := project.ParseBranch(destination)
	if err != nil {
		return destination
	}
	return b.Identity().String()
}

func destinationInMemo(run *workflow.WorkflowExecutionInfo) (destination string) {
	_ = json.Unmarshal(run.GetMemo().GetFields()["destination"].GetData(), &destination)
	return destination
}

// printStatus prints a table. Where the producer's catalog is known, it says what the source is at.
func printStatus(out io.Writer, branches []branchStatus) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	columns := []string{"IN SYNC", "DESTINATION", "SINCE", "WHY NOT"}
	known := slices.ContainsFunc(branches, func(b branchStatus) bool { return b.Source != nil })
	if known {
		columns = slices.Insert(columns, 2, "IS AT", "SOURCE")
	}
	_, _ = fmt.Fprintln(w, strings.Join(columns, "\t")) // Flush has its error
	for _, b := range branches {
		row := []string{"no", foreign.Line(b.Destination, maxShownLength), timeAgo(b.Since), foreign.Line(b.whyNot(), maxShownLength)}
		if b.InSync {
			row[0] = "yes"
		}
		if known {
			row = slices.Insert(row, 2, b.isAt(), b.sourceIsAt())
		}
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

func timeAgo(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return humanize.Time(t)
}

func (b branchStatus) isAt() string {
	if b.Source == nil {
		return ""
	}
	return cmp.Or(plan.Short(b.Source.Destination), "nothing")
}

// sourceIsAt says where the source was when the producer saw it last.
func (b branchStatus) sourceIsAt() string {
	switch s := b.Source; {
	case s == nil:
		return "unknown"
	case s.State == "":
		return "never seen"
	default:
		return plan.Short(s.State) + ", " + timeAgo(s.SeenAt)
	}
}

// whyNot is what keeps a branch behind. A failure in the plan comes first: it may differ from what the last run ended
// with, or say more, such as when the next try is. What fails at the producer is said in any case.
func (b branchStatus) whyNot() string {
	why := cmp.Or(b.LastError, b.Reason)
	if b.Kind != "" {
		why = b.Reason + " (" + b.Kind + ")"
	}
	s := b.Source
	if s == nil {
		return why
	}
	if why == "" && !s.BehindSince.IsZero() {
		why = "the bucket has nothing newer yet"
	}
	if s.Failure != "" {
		why += fmt.Sprintf("; producer: %s since %s", s.Failure, s.FailingSince.UTC().Format("2006-01-02 15:04Z"))
	}
	return strings.TrimPrefix(why, "; ")
}

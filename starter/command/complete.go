package command

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// Bounds of a completion: a shell waits for it.
const (
	completionTime   = 2 * time.Second
	maxCompletedRuns = 1000
)

// completeDestinations is the completion of commands whose arguments are destinations. What cannot be found out in time is left out:
// a shell has no place for errors.
func completeDestinations(ctx context.Context, c *cli.Command) {
	last := ""
	if args := c.Args().Slice(); len(args) > 0 {
		last = args[len(args)-1]
	}
	if strings.HasPrefix(last, "-") {
		cli.DefaultCompleteWithFlags(ctx, c)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	s, err := connect(ctx, c)
	if err != nil {
		return
	}
	defer s.Close()
	for _, destination := range slices.Sorted(maps.Keys(s.knownDestinations(ctx))) {
		_, _ = fmt.Fprintln(c.Root().Writer, destination)
	}
}

// knownDestinations are those that Temporal still knows of: by the last plan, which names all, and by the runs of children.
func (s roleClient) knownDestinations(ctx context.Context) map[string]bool {
	known := map[string]bool{}
	add := func(destination string) {
		if _, err := (contract.CycleInput{Only: []string{destination}}).Subset(); err == nil && !strings.ContainsFunc(destination, foreign.IsControl) {
			known[destination] = true
		}
	}
	page, err := s.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: s.namespace, Query: fmt.Sprintf("WorkflowType = %q", s.Child), PageSize: maxCompletedRuns,
	})
	if err == nil {
		for _, run := range page.Executions {
			add(destinationInMemo(run))
		}
	}
	last := s.lastPlan(ctx)
	for _, b := range slices.Concat(last.InSync, last.Behind) {
		add(b.Destination)
	}
	for _, f := range last.Failed {
		add(f.Subject)
	}
	return known
}

// lastPlan is the report of the last plan of all syncs that has ended: status makes one, too.
func (s roleClient) lastPlan(ctx context.Context) (report contract.Report) {
	page, err := s.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: s.namespace, PageSize: 1,
		Query: fmt.Sprintf("WorkflowId = %q AND ExecutionStatus != 'Running'", s.onceID(contract.CycleInput{DryRun: true})),
	})
	if err != nil || len(page.Executions) == 0 {
		return report
	}
	last := page.Executions[0].GetExecution()
	err = s.GetWorkflow(ctx, last.GetWorkflowId(), last.GetRunId()).Get(ctx, &report)
	report, _ = reportOf(err, report)
	return report
}

// bashNames has bash take a destination as one word: by default it splits words at "@", as it completes names of hosts.
const bashNames = `COMP_WORDBREAKS=${COMP_WORDBREAKS//@/}` + "\n"

// completeInBash puts that before the library's script.
func completeInBash(completion *cli.Command) {
	bash := completion.Command("bash")
	script := bash.Action
	bash.Action = func(ctx context.Context, c *cli.Command) error {
		_, err := fmt.Fprint(c.Root().Writer, bashNames)
		return cmp.Or(err, script(ctx, c))
	}
}

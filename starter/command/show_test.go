package command

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// A history may have been written by anyone who may start workflows.
func TestReportsDoNotReachTheTerminal(t *testing.T) {
	t.Parallel()
	const evil = "a\x1b]0;title\x07\x1b[2J\u202e\u2066\x00b"
	var out bytes.Buffer
	printReport(&out, contract.Report{
		Planned: []string{evil + "\n" + evil}, Synced: []string{evil}, Running: []string{evil}, Pruned: []string{evil}, Warning: evil,
		Failures: plan.Failures{Failed: []plan.Failure{{Subject: evil, Kind: evil, Reason: "what happened" + evil + "\nwhat to do", Workflow: evil}}},
	}, 0)
	syncs := []syncStatus{{Destination: evil, Reason: evil, State: fleet.Behind}, {Destination: evil, State: fleet.Failing, LastError: evil, LastErrorKind: evil, Pause: &fleet.Pause{Reason: evil}}}
	require.NoError(t, statusPrinter{}.print(&out, sideStatus{notes: []string{evil}, syncs: syncs}, syncs))
	require.NoError(t, statusPrinter{}.printWhy(&out, evil, syncReason{syncStatus: syncs[1], PlanError: evil, Runs: []runStatus{{Outcome: evil, Summary: evil, Kind: evil}}}))
	require.False(t, strings.ContainsFunc(strings.ReplaceAll(out.String(), "\n", ""), foreign.IsControl), "%q", out.String())
	require.Contains(t, out.String(), "would ab\n"+"      ab\nsynced ab\nstill running ab\ndeleted ab\nwarning: ab\nfailed ab: what happenedab\n       what to do (ab, workflow ab)\n")
}

// Whoever asks what would become of many refs is shown each of them.
func TestAllChangesArePrinted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	lines := "push mirror/app@refs/*: behind" + strings.Repeat("\ncreate refs/tags/v1 at 1234567", 10_000)
	printReport(&out, contract.Report{Planned: []string{lines}}, 0)
	require.Equal(t, 10_000, strings.Count(out.String(), "\n      create refs/tags/v1 at 1234567"))
}

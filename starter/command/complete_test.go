package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// A shell completes the destinations that Temporal knows of: those of the last plan, and those of syncs that have run.
func TestCompletion(t *testing.T) {
	t.Parallel()
	c := temporalOf(t, "complete")
	cycleOf(t, c, func(workflow.Context, contract.CycleInput) (contract.Report, error) {
		r := contract.Report{InSync: []plan.BranchStatus{{Destination: "enclave/b@main"}}, Behind: []plan.BranchStatus{{Destination: "enclave/a@v-*"}}}
		r.Fail(plan.Failure{Subject: "enclave/c@main", Kind: "GitAuthFailed"})
		r.Fail(plan.Failure{Subject: plan.SubjectCatalog, Kind: "CatalogStale"})
		return r, r.Err()
	}, func(workflow.Context) error { return nil }, nil)
	require.Equal(t, exitFailed, start(t, "complete", "plan").exit())
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "consume/x", TaskQueue: contract.Consumer.TaskQueue, Memo: map[string]any{"destination": "enclave/d@refs/*"},
	}, contract.Consumer.Child)
	require.NoError(t, err)
	complete := func(environ []string, args ...string) string {
		p := startWith(t, environ, "complete", append(args, "--generate-shell-completion")...)
		require.Equal(t, 0, p.exit())
		require.Empty(t, p.err.String())
		return p.out.String()
	}
	const all = "enclave/a@v-*\nenclave/b@main\nenclave/c@main\nenclave/d@refs/*\n"
	require.Eventually(t, func() bool { return complete(nil, "run") == all }, waitLong, waitShort)
	require.Equal(t, all, complete(nil, "plan", "enclave/b@main"))
	require.Contains(t, complete(nil, "run", "--all"), "--allow-rollback")
	require.Empty(t, complete([]string{"TEMPORAL_ADDRESS=127.0.0.1:1"}, "run"), "a shell has no place for errors")

	require.Equal(t, "enclave/b@main", inBash(t, "complete", "starter run enclave/b@m"))
	require.Equal(t, "schedule status setup", inBash(t, "complete", "starter s"))
}

// inBash has bash complete a line by the script that the starter prints, as it does with its own words.
func inBash(t *testing.T, namespace, line string) string {
	t.Helper()
	dir := t.TempDir()
	program, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(program, filepath.Join(dir, "starter")))
	script := `_get_comp_words_by_ref() { :; }
source <(starter completion bash)
[[ $COMP_WORDBREAKS != *@* ]]
COMP_WORDS=(` + line + `) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
__starter_bash_autocomplete
echo "${COMPREPLY[*]}"`
	cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-c", script)
	cmd.Env = append(starterCommand(t, namespace).Env, "PATH="+dir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return strings.TrimSpace(string(out))
}

package e2e_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// check runs a program in a worker's environment, with further variables, and without any Temporal.
func check(t sides, role stack.Role, program []string, environ ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(filepath.Join(binDir, program[0]), program[1:]...)
	cmd.Env = append(withoutTemporal(t, role), environ...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func withoutTemporal(t sides, role stack.Role) []string {
	return slices.DeleteFunc(t.WorkerEnviron(role), func(v string) bool { return strings.HasPrefix(v, "TEMPORAL_") })
}

// A check says what a cycle would do and changes nothing, and fails if a sync cannot work.
func TestCheck(test *testing.T) {
	test.Parallel()
	t := begin(test)
	b := t.bucket
	source, destination := "check/app@main", "mirror/check/app@main"
	configure(t, [2]string{source, destination})
	commit(t, source)
	create(t, t.Destination, branch(destination).Path())
	for _, program := range [][]string{
		{"starter", "check"}, {"starter", "-dry-run=true", "-run-once=true"}, {"standalone"}, {"standalone", "-dry-run=true", "-run-once=true"},
		{"standalone", "starter", "check"},
	} {
		out, err := check(t, stack.Producer, program)
		require.NoError(t, err, out)
		require.Contains(t, out, "would upload "+destination+": ", program)
		require.Contains(t, out, "1 checked, 0 up to date, 0 synced, 0 failed, 1 planned", program)
		require.Empty(t, keys(t, b), program)
	}

	cycle(t, stack.Producer)
	out, err := check(t, stack.Consumer, []string{"starter", "check", "-o", "json"})
	require.NoError(t, err, out)
	var report contract.Report
	require.NoError(t, json.Unmarshal([]byte(out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:]), &report), out)
	require.Equal(t, destination, report.Behind[0].Destination)

	configure(t, [2]string{source, destination}, [2]string{"check/missing@main", "mirror/check/missing@main"})
	out, err = check(t, stack.Producer, []string{"starter", "check"})
	require.EqualError(t, err, "exit status 1", out)
	require.Contains(t, out, "failed mirror/check/missing@main: ")
	require.Contains(t, out, "ProjectNotFound")
}

func TestCheckOfWhatCannotWork(test *testing.T) {
	test.Parallel()
	t := begin(test)
	tests := map[string]struct{ variable, want string }{
		"not configured": {"GITLAB_TOKEN=", "GITLAB_TOKEN is not set"},
		"no list":        {"GRAPHQL_PASSWORD=wrong", "GraphQLAuthFailed"},
		"no bucket":      {"AWS_S3_BUCKET=another", "BucketNotFound"},
		"no Git server":  {"GITLAB_BASE_URL=http://127.0.0.1:1", "nothing listens there"},
	}
	for name, tt := range tests {
		t.run(name, func(t sides) {
			configure(t, [2]string{"check/app@main", "mirror/check/app@main"})
			out, err := check(t, stack.Producer, []string{"starter", "check"}, tt.variable)
			require.EqualError(t, err, "exit status 1", out)
			require.Contains(t, out, tt.want)
		})
	}
}

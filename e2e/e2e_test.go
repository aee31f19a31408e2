package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// binDir has the binaries that are tested.
var binDir string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "git-partition-sync-e2e-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binaries, err := stack.FindServers("..")
	if err != nil {
		return 1, err
	}
	binDir = dir
	if err := binaries.Build(dir, "./worker", "./starter", "./standalone"); err != nil {
		return 1, err
	}
	if err := stack.Isolate(); err != nil {
		return 1, err
	}
	stacks.dir, stacks.binaries = dir, binaries
	realForges.dir = dir
	defer realForges.close()
	defer func() { err = errors.Join(err, stacks.close()) }()
	return m.Run(), nil
}

func emptyBucket(t sides) {
	t.Helper()
	require.NoError(t, t.bucket.Delete(t.Context(), append(keys(t, t.bucket), catalog.Key)...))
}

// keys are those of all objects. The catalog is none.
func keys(t testing.TB, b *bucket.Bucket) (keys []string) {
	t.Helper()
	for o, err := range b.List(t.Context(), "") {
		require.NoError(t, err)
		if o.Key != catalog.Key {
			keys = append(keys, o.Key)
		}
	}
	return keys
}

// staged lists what runs have in a side's work directory.
func staged(t sides, role stack.Role) []string {
	t.Helper()
	files, err := stack.Staged(t.WorkDir(role))
	require.NoError(t, err)
	return files
}

// branch parses "group/name@branch".
func branch(s string) project.Branch {
	path, branch, _ := strings.Cut(s, "@")
	i := strings.LastIndex(path, "/")
	return project.Branch{Group: path[:i], Name: path[i+1:], Branch: branch}
}

// configure replaces what is synced by pairs of source and destination.
func configure(t sides, pairs ...[2]string) {
	t.Helper()
	var text strings.Builder
	text.WriteString("syncs:\n")
	for _, pair := range pairs {
		from, to := branch(pair[0]), branch(pair[1])
		fmt.Fprintf(&text, "  - source: {group: %q, name: %q, branch: %q}\n", from.Group, from.Name, from.Branch)
		fmt.Fprintf(&text, "    destination: {group: %q, name: %q, branch: %q}\n", to.Group, to.Name, to.Branch)
	}
	if len(pairs) == 0 {
		text.WriteString("  []\n")
	}
	require.NoError(t, os.WriteFile(t.SyncsFile(), []byte(text.String()), 0o600))
}

// commit adds a commit to a branch of the source, which is created when need be.
func commit(t sides, source string) string {
	t.Helper()
	b := branch(source)
	create(t, t.Source, b.Path())
	sha, err := t.Source.Commit(t.Context(), b.Path(), b.Branch, map[string]string{"branch": source + "\n"}, t.Name())
	require.NoError(t, err)
	return sha
}

func create(t testing.TB, server *stack.GitServer, repos ...string) {
	t.Helper()
	for _, repo := range repos {
		require.NoError(t, server.Create(t.Context(), repo))
	}
}

// upload has one sync configured, "name/app@main" to the same below "mirror", with a commit that is in the bucket
// and a destination that has nothing of it. It returns the sync's names and the commit.
func upload(t sides, name string) (source, destination, sha string) {
	t.Helper()
	source, destination = name+"/app@main", "mirror/"+name+"/app@main"
	configure(t, [2]string{source, destination})
	sha = commit(t, source)
	create(t, t.Destination, branch(destination).Path())
	cycle(t, stack.Producer)
	return source, destination, sha
}

// cycle runs one cycle of a side, which must succeed, and returns what the starter prints.
func cycle(t sides, role stack.Role) string {
	t.Helper()
	out, err := t.Starter(t.Context(), role, "-run-once")
	require.NoError(t, err, out)
	return out
}

// failingCycle is one that must end with exit status 1.
func failingCycle(t sides, role stack.Role) string {
	t.Helper()
	out, err := t.Starter(t.Context(), role, "-run-once")
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, out)
	require.Equal(t, 1, exit.ExitCode(), out)
	return out
}

// childFailure is what an operator finds in the web UI at the last run of a child workflow.
func childFailure(t sides, role stack.Role, id string) *temporal.ApplicationError {
	t.Helper()
	err := t.Temporal.Clients[role].GetWorkflow(t.Context(), id, "").Get(t.Context(), nil)
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure, id)
	return failure
}

// requireInSync asks both Git servers.
func requireInSync(t sides, want int) {
	t.Helper()
	states, err := t.States(t.Context())
	require.NoError(t, err)
	require.Len(t, states, want)
	for _, state := range states {
		require.True(t, state.InSync(), "%+v", state)
	}
}

package e2e_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

var other = flag.String("other", "", "folder of another version's worker and starter, for TestOtherVersion")

// mixed is a source and a destination between which two versions of the workers take turns.
type mixed struct {
	sides
	repo string
	// versions are folders of binaries.
	ours, other string
	unsigned    bool
}

// needOther has our workers back when the test ends.
func needOther(t sides) {
	t.Helper()
	if *other == "" {
		t.Skip("needs a build of another version: make versions OTHER=<commit>")
	}
	before := t.Binaries
	t.Cleanup(func() {
		t.Binaries = before
		for _, role := range stack.Roles {
			require.NoError(t, t.Workers[role].Stop())
			require.NoError(t, t.StartWorker(context.WithoutCancel(t.Context()), role))
		}
	})
}

func (m *mixed) configure(branches ...string) {
	var pairs [][2]string
	for _, b := range branches {
		pairs = append(pairs, [2]string{m.repo + "@" + b, "mirror/" + m.repo + "@" + b})
	}
	configure(m.sides, pairs...)
}

// run starts workers of these versions in place of those that run.
func (m *mixed) run(versions map[stack.Role]string, environ ...string) {
	m.Helper()
	for _, role := range stack.Roles {
		require.NoError(m, m.Workers[role].Stop())
		m.use(versions[role])
		require.NoError(m, m.StartWorker(m.Context(), role, environ...))
	}
}

// use names a version's binaries. Without keys a worker must not have the variables at all.
func (m *mixed) use(version string) {
	m.Helper()
	m.Binaries.Worker, m.Binaries.Starter = filepath.Join(version, "worker"), filepath.Join(version, "starter")
	if m.unsigned {
		script := filepath.Join(m.TempDir(), "worker")
		text := "#!/bin/sh\nunset SIGNING_KEY VERIFY_KEYS\nexec " + m.Binaries.Worker + " \"$@\"\n"
		require.NoError(m, os.WriteFile(script, []byte(text), 0o700))
		m.Binaries.Worker = script
	}
}

func (m *mixed) git(args ...string) string {
	m.Helper()
	out, err := m.Source.Git(m.Context(), m.repo, args...)
	require.NoError(m, err)
	return out
}

func (m *mixed) commit() {
	m.Helper()
	n := m.git("rev-list", "--all", "--count")
	_, err := m.Source.Commit(m.Context(), m.repo, "main", map[string]string{"file-" + n: randomText(200)}, "commit "+n)
	require.NoError(m, err)
}

// newest is what the bucket has last of the branch, and of a chain that is whole.
func (m *mixed) newest() object.Stored {
	m.Helper()
	b, err := m.Bucket(m.Context(), stack.Consumer)
	require.NoError(m, err)
	c := chainsOf(m.sides, b)[branch("mirror/"+m.repo+"@main")]
	if len(c.Objects) == 0 {
		return object.Stored{}
	}
	require.False(m, c.Broken())
	m.Logf("%d objects, the newest is %.7s on %q, %d B", len(c.Objects), c.Tip(), c.Newest().Base, c.Newest().Size)
	return c.Newest()
}

// requireRefs checks that of what one version has noted at the destination the other leaves nothing beside its own.
func (m *mixed) requireRefs() {
	m.Helper()
	refs, err := m.Destination.Git(m.Context(), "mirror/"+m.repo, "for-each-ref", "--format=%(refname)", "refs/git-partition-sync")
	require.NoError(m, err)
	want := 2 // when the newest object was made, and which it is
	if m.unsigned {
		want = 0
	}
	require.Len(m, strings.Fields(refs), want, refs)
}

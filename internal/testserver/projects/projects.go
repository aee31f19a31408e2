// Package projects gives the servers of a stack as many small projects as a test wants, without a process for each.
package projects

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

const mainRef = "refs/heads/main"

// template is a repository that others are copied from: git itself would take several processes for each.
func template(t testing.TB, server *stack.GitServer, history gitserver.History) string {
	t.Helper()
	name := fmt.Sprintf("template/%d", history.Commits)
	require.NoError(t, server.Create(t.Context(), name))
	require.NoError(t, os.RemoveAll(filepath.Join(server.Dir(name), "hooks"))) // examples
	if history.Commits > 0 {
		_, err := server.Generate(t.Context(), name, "main", history)
		require.NoError(t, err)
	}
	return server.Dir(name)
}

// Populate makes n syncs of small projects, each with a history and a last commit of its own, and returns them.
func Populate(t testing.TB, s *stack.Stack, n int) (syncs []project.Sync) {
	t.Helper()
	source := template(t, s.Source, gitserver.History{Bytes: 30_000, Commits: 10})
	var destinations []string
	for i := range n {
		name := fmt.Sprintf("project-of-a-usual-name-%05d", i)
		sync := project.Sync{
			Source:      project.Branch{Group: "platform/team", Name: name, Branch: "main"},
			Destination: project.Branch{Group: "mirror/platform/team", Name: name, Branch: "main"},
		}
		copyRepository(t, source, s.Source.Dir(sync.Source.Path()))
		AddCommit(t, s.Source, sync.Source, 0)
		syncs, destinations = append(syncs, sync), append(destinations, sync.Destination.Path())
	}
	Empty(t, s.Destination, destinations...)
	return syncs
}

// Empty makes projects that have nothing, in place of what there was.
func Empty(t testing.TB, server *stack.GitServer, paths ...string) {
	t.Helper()
	empty := template(t, server, gitserver.History{})
	for _, path := range paths {
		require.NoError(t, os.RemoveAll(server.Dir(path)))
		copyRepository(t, empty, server.Dir(path))
	}
}

func copyRepository(t testing.TB, from, to string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
	require.NoError(t, os.CopyFS(to, os.DirFS(from)))
}

// Configure replaces what is synced.
func Configure(t testing.TB, s *stack.Stack, syncs []project.Sync) {
	t.Helper()
	var text strings.Builder
	text.WriteString("syncs:\n")
	for _, sync := range syncs {
		from, to := sync.Source, sync.Destination
		fmt.Fprintf(&text, "  - source: {group: %q, name: %q, branch: %q}\n", from.Group, from.Name, from.Branch)
		fmt.Fprintf(&text, "    destination: {group: %q, name: %q, branch: %q}\n", to.Group, to.Name, to.Branch)
	}
	require.NoError(t, os.WriteFile(s.SyncsFile(), []byte(text.String()), 0o600))
}

// AddCommit adds a commit that changes one file, without a process: the three objects are written as git does.
func AddCommit(t testing.TB, server *stack.GitServer, b project.Branch, number int) {
	t.Helper()
	dir := server.Dir(b.Path())
	blob := writeObject(t, dir, "blob", fmt.Appendf(nil, "%s %d\n", b, number))
	tree := writeObject(t, dir, "tree", append([]byte("100644 changed\x00"), blob[:]...))
	who := fmt.Sprintf("Demo <demo@example.com> %d +0000", 1_750_000_000+number)
	commit := writeObject(t, dir, "commit", fmt.Appendf(nil, "tree %x\nparent %s\nauthor %s\ncommitter %s\n\nchange %d\n", tree, Head(t, server, b), who, who, number))
	require.NoError(t, os.WriteFile(filepath.Join(dir, mainRef), []byte(hex.EncodeToString(commit[:])+"\n"), 0o600))
}

func writeObject(t testing.TB, dir, kind string, content []byte) [sha1.Size]byte {
	t.Helper()
	whole := append(fmt.Appendf(nil, "%s %d\x00", kind, len(content)), content...)
	id := sha1.Sum(whole)
	name := hex.EncodeToString(id[:])
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	_, err := w.Write(whole)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	folder := filepath.Join(dir, "objects", name[:2])
	require.NoError(t, os.MkdirAll(folder, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(folder, name[2:]), packed.Bytes(), 0o600))
	return id
}

// Head is what a branch is at, as its file says; empty if there is none.
func Head(t testing.TB, server *stack.GitServer, b project.Branch) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(server.Dir(b.Path()), "refs", "heads", b.Branch))
	if os.IsNotExist(err) {
		return ""
	}
	require.NoError(t, err)
	return strings.TrimSpace(string(text))
}

// InSync counts the syncs whose destination is what the source is.
func InSync(t testing.TB, s *stack.Stack, syncs []project.Sync) (n int) {
	t.Helper()
	for _, sync := range syncs {
		if at := Head(t, s.Source, sync.Source); at != "" && at == Head(t, s.Destination, sync.Destination) {
			n++
		}
	}
	return n
}

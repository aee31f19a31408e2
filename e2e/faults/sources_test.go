package faults_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

const (
	// busy is written to as long as a fault lasts.
	busy = "busy/app"
	// quiet, large and refs move once, before the fault, and then never again: nothing but the system itself gets them there.
	quiet = "quiet/app"
	large = "large/files" // with Git LFS
	refs  = "many/refs"   // a set of refs
	// writeEvery is the pause of the writer between two commits.
	writeEvery = 4 * time.Second
	// changeSize is how many bytes of each change do not compress.
	changeSize = 256 << 10
)

// repositories have all branches that are synced, by their paths: the destination has the same path below mirror/.
var repositories = map[string][]string{busy: {"main"}, quiet: {"main"}, large: {"main"}, refs: {"main", "next", "old"}}

func (w *world) createSources(t *testing.T) {
	t.Helper()
	var syncs strings.Builder
	syncs.WriteString("syncs:\n")
	for repo, branches := range repositories {
		for _, server := range []*gitserver.Server{w.Source.Server, w.Destination.Server} {
			path := repo
			if server == w.Destination.Server {
				path = "mirror/" + repo
			}
			require.NoError(t, server.Create(t.Context(), path))
			// What a ref ever was is remembered by git itself.
			_, err := server.Git(t.Context(), path, "config", "core.logAllRefUpdates", "always")
			require.NoError(t, err)
		}
		w.refuseMissingLFS(t, repo)
		for _, branch := range branches {
			w.commit(t, repo, branch)
		}
		name := branches[0]
		if len(branches) > 1 {
			name = "refs/heads/*"
		}
		group, project, _ := strings.Cut(repo, "/")
		fmt.Fprintf(&syncs, "  - source: {group: %q, name: %q, branch: %q}\n", group, project, name)
		fmt.Fprintf(&syncs, "    destination: {group: %q, name: %q, branch: %q}\n", "mirror/"+group, project, name)
	}
	w.syncs = syncs.String()
	require.NoError(t, os.WriteFile(w.SyncsFile(), []byte(w.syncs), 0o600))
}

// change moves everything that is quiet otherwise.
func (w *world) change(t testing.TB) {
	t.Helper()
	w.changeBy(t, changeSize)
}

// changeBy is change with so many bytes in a branch, and in an LFS object.
func (w *world) changeBy(t testing.TB, size int) {
	t.Helper()
	w.commitBy(t, quiet, "main", size)
	w.commitBy(t, large, "main", size)
	w.commit(t, refs, "next")
	w.rewind(t, refs, "old")
}

// commit adds a commit to a branch of a source, with content that does not compress.
func (w *world) commit(t testing.TB, repo, branch string) {
	t.Helper()
	w.commitBy(t, repo, branch, changeSize)
}

// commitBy is commit with so many bytes.
func (w *world) commitBy(t testing.TB, repo, branch string, size int) {
	t.Helper()
	w.moving.Lock()
	defer w.moving.Unlock()
	w.commitAlone(t, repo, branch, size)
}

// commitAlone is commitBy for who holds moving.
func (w *world) commitAlone(t testing.TB, repo, branch string, size int) {
	t.Helper()
	random := make([]byte, size)
	_, _ = rand.Read(random)
	file := fmt.Sprintf("file-%d", w.changes.Add(1))
	content := string(random)
	if repo == large {
		o, err := w.Source.LFS().Add(repo, random)
		assert.NoError(t, err)
		w.lfsObjects = append(w.lfsObjects, o.OID)
		content = gitserver.Pointer(o)
	}
	_, err := w.Source.Commit(context.Background(), repo, branch, map[string]string{file: content}, "change "+hex.EncodeToString(random[:4]))
	assert.NoError(t, err)
}

// rewind takes a branch's last commit back, if there is one before, and has another in its place.
func (w *world) rewind(t testing.TB, repo, branch string) {
	t.Helper()
	w.moving.Lock()
	defer w.moving.Unlock()
	if before, err := w.Source.Git(context.Background(), repo, "rev-parse", "--verify", "refs/heads/"+branch+"~1"); err == nil {
		_, err := w.Source.Git(context.Background(), repo, "update-ref", "refs/heads/"+branch, before)
		assert.NoError(t, err)
	}
	w.commitAlone(t, repo, branch, changeSize)
}

// startWriter keeps committing to the busy source until it is stopped.
func (w *world) startWriter(t testing.TB) (stop func()) {
	return repeat(func() time.Duration { return writeEvery }, func() { w.commit(t, busy, "main") })
}

// repeat does something after each of such pauses until it is stopped.
func repeat(pause func() time.Duration, do func()) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			case <-time.After(pause()):
				do()
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

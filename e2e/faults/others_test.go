package faults_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// others is what people do at the servers, of which Git's own reflogs do not tell, or tell what the system has not done.
type others struct {
	sync.Mutex
	commits   map[string]bool     // at destinations, which no source ever had
	forgotten map[string][]string // what a branch was before its reflog went, by that file
}

// has tells whether someone else has put a value there.
func (o *others) has(value string) bool {
	o.Lock()
	defer o.Unlock()
	return o.commits[value]
}

// intrude has someone else commit to a branch of a destination.
func (w *world) intrude(t testing.TB, repo, branch string) {
	t.Helper()
	commit, err := w.Destination.Commit(context.Background(), "mirror/"+repo, branch, map[string]string{"theirs": "of someone else"}, "not of the source")
	assert.NoError(t, err)
	if err == nil {
		w.others.Lock()
		defer w.others.Unlock()
		w.others.commits[commit[:10]] = true
	}
}

// remember keeps what the branches of a repository ever were, before someone does what makes Git forget it.
func (w *world) remember(t testing.TB, server *gitserver.Server, path string) {
	t.Helper()
	for _, branch := range repositories[strings.TrimPrefix(path, "mirror/")] {
		log, values := reflog(server, path, branch), w.history(t, server, path, branch)
		w.others.Lock()
		w.others.forgotten[log] = values
		w.others.Unlock()
		if err := os.Remove(log); !os.IsNotExist(err) {
			assert.NoError(t, err)
		}
	}
}

func reflog(server *gitserver.Server, path, branch string) string {
	return filepath.Join(server.Dir(path), "logs", "refs", "heads", branch)
}

// refuseMissingLFS has a destination with LFS take, as GitLab does, no commit without its files.
func (w *world) refuseMissingLFS(t testing.TB, repo string) {
	t.Helper()
	if repo == large {
		assert.NoError(t, w.Destination.LFS().RefuseMissing("mirror/"+repo))
	}
}

// untilSynced waits until a destination is what its source is.
func (r *trial) untilSynced(repo string) {
	r.Helper()
	r.untilWithin(defaultPatience, func() bool {
		return maps.Equal(heads(r.Source.Server, repo), heads(r.Destination.Server, "mirror/"+repo))
	})
}

package faults_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/assert"

	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// isPush is for what moves refs of a destination, or brings objects.
func isPush(repo string) request {
	return func(r *http.Request) bool {
		return r.Method == http.MethodPost && r.URL.Path == "/mirror/"+repo+".git/git-receive-pack"
	}
}

// isFetch is for what asks a source for a pack.
func isFetch(repo string) request {
	return func(r *http.Request) bool {
		if r.Method != http.MethodPost || r.URL.Path != "/"+repo+".git/git-upload-pack" {
			return false
		}
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		return err == nil && bytes.Contains(body, []byte("want "))
	}
}

// isOfPushes is for all that belongs to a push, which a server that is read-only refuses.
func isOfPushes(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/git-receive-pack") || r.URL.Query().Get("service") == "git-receive-pack"
}

// cutHalfway ends a request's body in its middle.
func cutHalfway(r *http.Request) {
	r.Body = &cutBody{r.Body, max(r.ContentLength/2, 16<<10)}
}

type cutBody struct {
	io.ReadCloser
	left int64
}

func (c *cutBody) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// git runs a command in a repository, past all faults.
func (r *trial) git(server *gitserver.Server, path string, args ...string) string {
	r.Helper()
	out, err := server.Git(context.Background(), path, args...)
	assert.NoError(r, err)
	return out
}

// refuseByHook has a hook of a destination refuse with these words for a while.
func (r *trial) refuseByHook(repo, hook, words string) (hasRefused func() bool) {
	r.Helper()
	path := "mirror/" + repo
	file := filepath.Join(r.Destination.Dir(path), "refused")
	assert.NoError(r, r.Destination.Hook(path, hook, "touch "+file+"; echo '"+words+"' >&2; exit 1"))
	r.later(func() {
		assert.NoError(r, os.Remove(filepath.Join(r.Destination.Dir(path), "hooks", hook)))
		assert.NoError(r, os.RemoveAll(file)) // there is none where the fault has not found its moment
	})
	return func() bool {
		_, err := os.Stat(file)
		return err == nil
	}
}

// copyOf keeps a copy of a repository.
func (r *trial) copyOf(server *gitserver.Server, path string) (backup string) {
	r.Helper()
	backup = filepath.Join(r.TempDir(), "backup.git")
	assert.NoError(r, os.CopyFS(backup, os.DirFS(server.Dir(path))))
	return backup
}

// restore puts a copy in the place of a repository at once. What its refs ever were is remembered, and not what the copy says of it.
func (r *trial) restore(server *gitserver.Server, path, backup string) {
	r.Helper()
	r.remember(r, server, path)
	was := filepath.Join(r.TempDir(), "was.git")
	assert.NoError(r, os.Rename(server.Dir(path), was))
	assert.NoError(r, os.RemoveAll(filepath.Join(backup, "logs")))
	assert.NoError(r, os.Rename(backup, server.Dir(path)))
}

// createAnew has someone delete a project of the destination, and make an empty one of the same name.
func (r *trial) createAnew(repo string) {
	r.Helper()
	path := "mirror/" + repo
	r.remember(r, r.Destination.Server, path)
	assert.NoError(r, os.RemoveAll(r.Destination.Dir(path)))
	assert.NoError(r, r.Destination.Create(context.Background(), path))
	r.git(r.Destination.Server, path, "config", "core.logAllRefUpdates", "always")
	r.refuseMissingLFS(r, repo)
}

// deleteBranch has someone delete a branch of a repository, which deletes its reflog.
func (r *trial) deleteBranch(server *gitserver.Server, path, branch string) {
	r.Helper()
	r.remember(r, server, path)
	r.git(server, path, "update-ref", "-d", "refs/heads/"+branch)
}

// forgetOurs has someone delete all refs of the consumer's own.
func (r *trial) forgetOurs(repo string) {
	r.Helper()
	for ref := range strings.FieldsSeq(r.ours(repo)) {
		r.git(r.Destination.Server, "mirror/"+repo, "update-ref", "-d", ref)
	}
}

// ours are the names of all refs of the consumer's own.
func (r *trial) ours(repo string) string {
	r.Helper()
	return r.git(r.Destination.Server, "mirror/"+repo, "for-each-ref", "--format=%(refname)", ours)
}

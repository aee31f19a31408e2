package e2e_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// lfsSides are sides whose Git servers are real forges with Git LFS.
type lfsSides struct {
	sides
	source, destination *forge
	home                string // of the developer, who has git-lfs
}

func beginLFS(test testing.TB) lfsSides {
	test.Helper()
	forges := realForges.take(test)
	t := lfsSides{sides: begin(test), source: forges[stack.Producer], destination: forges[stack.Consumer], home: test.TempDir()}
	for _, role := range stack.Roles {
		t.restart(role)
	}
	t.Cleanup(func() {
		for _, role := range stack.Roles {
			require.NoError(t, t.Workers[role].Stop())
			require.NoError(t, t.StartWorker(context.Background(), role))
		}
	})
	runGit(t, t.home, t.home, "lfs", "install", "--skip-repo")
	runGit(t, t.home, t.home, "config", "--global", "lfs.locksverify", "false")
	return t
}

// restart gives a side a worker that uses its forge, in place of the one that runs or has been killed.
func (t lfsSides) restart(role stack.Role, environ ...string) {
	t.Helper()
	require.NoError(t, t.Workers[role].Stop())
	forge := map[stack.Role]*forge{stack.Producer: t.source, stack.Consumer: t.destination}[role]
	require.NoError(t, t.StartWorker(t.Context(), role, append(forge.environ(), environ...)...))
}

// sync configures pairs of source and destination, and makes the destinations' projects.
func (t lfsSides) sync(pairs ...[2]string) {
	t.Helper()
	for _, pair := range pairs {
		t.destination.create(t, branch(pair[1]).Path())
	}
	configure(t.sides, pairs...)
}

// workTree is a developer's clone.
type workTree struct {
	lfsSides
	dir string
}

// clone gets a project and its large files, as "git clone" does with git-lfs.
func (t lfsSides) clone(f *forge, repo string) workTree {
	t.Helper()
	w := workTree{t, filepath.Join(t.TempDir(), "work")}
	runGit(t, t.home, t.home, "clone", "--quiet", f.cloneURL(repo), w.dir)
	return w
}

// newProject makes a project at the source in which "*.bin" are large files.
func (t lfsSides) newProject(repo string) workTree {
	t.Helper()
	t.source.create(t, repo)
	w := t.clone(t.source, repo)
	w.git("checkout", "--quiet", "-B", "main")
	w.git("lfs", "track", "*.bin")
	w.git("add", ".gitattributes")
	return w
}

func (w workTree) git(args ...string) string {
	w.Helper()
	return runGit(w, w.dir, w.home, args...)
}

// write makes up a file and returns its OID.
func (w workTree) write(name string, size int64) (oid string) {
	w.Helper()
	require.NoError(w, os.MkdirAll(filepath.Dir(filepath.Join(w.dir, name)), 0o700))
	file, err := os.Create(filepath.Join(w.dir, name))
	require.NoError(w, err)
	sum := sha256.New()
	_, err = io.CopyN(io.MultiWriter(file, sum), rand.Reader, size)
	require.NoError(w, err)
	require.NoError(w, file.Close())
	return hex.EncodeToString(sum.Sum(nil))
}

// push commits all there is and pushes all branches and tags.
func (w workTree) push(message string) {
	w.Helper()
	w.git("add", "--all")
	w.git("commit", "--quiet", "--allow-empty", "--message", message)
	w.git("push", "--quiet", "--all")
	w.git("push", "--quiet", "--tags")
}

// oids are those of all large files of all branches and tags, as stock git-lfs finds them.
func (w workTree) oids() []string {
	w.Helper()
	found := map[string]bool{}
	for line := range strings.Lines(w.git("lfs", "ls-files", "--all", "--long")) {
		found[strings.Fields(line)[0]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// sums are the SHA-256 of each file of a branch or tag, by its name.
func (w workTree) sums(ref string) map[string]string {
	w.Helper()
	w.git("checkout", "--quiet", "--detach", ref)
	sums := map[string]string{}
	require.NoError(w, filepath.WalkDir(w.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			if entry.Name() == ".git" {
				return filepath.SkipDir
			}
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		sum := sha256.New()
		_, err = io.Copy(sum, file)
		sums[strings.TrimPrefix(path, w.dir)] = hex.EncodeToString(sum.Sum(nil))
		return err
	}))
	return sums
}

// segmentUploads counts for each key below lfs/ how often an object was stored there, since the log of the S3 server had that length.
func segmentUploads(t sides, since int) map[string]int {
	t.Helper()
	stored := map[string]int{}
	for line := range strings.Lines(s3Log(t)[since:]) {
		// time | vgw | status | duration | address | method | path | error | query
		cells := strings.Split(line, "|")
		if len(cells) < 9 || strings.TrimSpace(cells[2]) != "200" {
			continue
		}
		key, ofLFS := strings.CutPrefix(strings.TrimSpace(cells[6]), "/"+stack.BucketName+"/lfs/")
		method, query := strings.TrimSpace(cells[5]), cells[8]
		whole := method == "PUT" && !strings.Contains(query, "partNumber") || method == "POST" && strings.Contains(query, "uploadId")
		if ofLFS && whole {
			stored[key]++
		}
	}
	return stored
}

// requireOnce makes sure that each segment was stored once, and how many there are.
func requireOnce(t sides, since, want int) {
	t.Helper()
	stored := segmentUploads(t, since)
	require.Len(t, stored, want)
	for key, times := range stored {
		require.Equal(t, 1, times, key)
	}
}

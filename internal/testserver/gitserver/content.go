package gitserver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// Commit adds one commit with these files (path to content) on top of the
// branch, which is created when it does not exist, and returns its hash.
func (s *Server) Commit(ctx context.Context, repo, branch string, files map[string]string, message string) (string, error) {
	ref := "refs/heads/" + branch
	tip, err := s.tip(ctx, repo, ref)
	if err != nil {
		return "", err
	}
	var in bytes.Buffer
	in.WriteString(commitHeader(ref, time.Now().Unix(), message))
	if tip != "" {
		fmt.Fprintf(&in, "from %s\n", tip)
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", path, len(files[path]), files[path])
	}
	in.WriteString("get-mark :1\n")
	return s.run(ctx, s.Dir(repo), &in, "fast-import", "--quiet")
}

// tip is where a ref is, empty if there is none. Most often it is a file of its own, which saves a process.
func (s *Server) tip(ctx context.Context, repo, ref string) (string, error) {
	text, err := os.ReadFile(filepath.Join(s.Dir(repo), ref))
	if err == nil && project.ValidCommit(strings.TrimSpace(string(text))) {
		return strings.TrimSpace(string(text)), nil
	}
	return s.Git(ctx, repo, "for-each-ref", "--format=%(objectname)", ref)
}

// Import runs git-fast-import(1) on a repository.
func (s *Server) Import(ctx context.Context, repo string, commands io.Reader) error {
	_, err := s.run(ctx, s.Dir(repo), commands, "fast-import", "--quiet")
	return err
}

// History is the size of what Generate makes up.
type History struct {
	Bytes   int64 // of file content over all commits; the pack is about as large
	Commits int
}

// Generate gives the branch a made-up history of incompressible files and
// returns its last commit. The same History gives the same commits. The branch
// must not exist yet.
func (s *Server) Generate(ctx context.Context, repo, branch string, history History) (string, error) {
	in, out := io.Pipe()
	go func() { _ = out.CloseWithError(writeHistory(out, "refs/heads/"+branch, history)) }()
	// Below the unpack limit fast-import would explode its pack into loose files,
	// which upload-pack has to compress again on each fetch.
	_, err := s.run(ctx, s.Dir(repo), in, "-c", "fastimport.unpackLimit=0", "-c", "core.compression=0", "fast-import", "--quiet")
	_ = in.Close() // frees the writer when fast-import stopped early
	if err != nil {
		return "", err
	}
	return s.Git(ctx, repo, "rev-parse", "refs/heads/"+branch)
}

func writeHistory(w io.Writer, ref string, history History) error {
	const files = 64 // few enough to keep each commit's tree small
	buffered := bufio.NewWriterSize(w, 1<<16)
	size := history.Bytes / int64(history.Commits)
	for n := range history.Commits {
		var seed [32]byte
		binary.BigEndian.PutUint64(seed[:], uint64(n))
		header := commitHeader(ref, 1_700_000_000+int64(n), fmt.Sprintf("commit %d", n)) +
			fmt.Sprintf("M 100644 inline data/%02d\ndata %d\n", n%files, size)
		content := io.LimitReader(rand.NewChaCha8(seed), size)
		if _, err := io.Copy(buffered, io.MultiReader(strings.NewReader(header), content, strings.NewReader("\n"))); err != nil {
			return err
		}
	}
	return buffered.Flush()
}

// commitHeader starts a commit in the format of git-fast-import(1).
func commitHeader(ref string, unix int64, message string) string {
	return fmt.Sprintf("commit %s\nmark :1\ncommitter %s <%s> %d +0000\ndata %d\n%s\n", ref, committerName, committerEmail, unix, len(message), message)
}

package gitserver

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// drafts is where the last draft is, so that fast-import has a ref to write.
const drafts = "refs/drafts/last"

// Draft makes a commit that no branch has yet, with these files (path to content) changed on top of its first parent, and
// returns its hash. Further parents are merged; without any, a history begins anew.
func (s *Server) Draft(ctx context.Context, repo string, parents []string, files map[string]string, message string) (string, error) {
	var in bytes.Buffer
	in.WriteString("reset " + drafts + "\n" + commitHeader(drafts, time.Now().Unix(), message))
	for i, parent := range parents {
		command := "merge"
		if i == 0 {
			command = "from"
		}
		fmt.Fprintf(&in, "%s %s\n", command, parent)
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", path, len(files[path]), files[path])
	}
	in.WriteString("get-mark :1\n")
	return s.run(ctx, s.Dir(repo), &in, "fast-import", "--quiet", "--force")
}

// UpdateRefs has all of these commands of git-update-ref(1) happen, or none.
func (s *Server) UpdateRefs(ctx context.Context, repo string, commands ...string) error {
	_, err := s.run(ctx, s.Dir(repo), strings.NewReader(strings.Join(commands, "\n")+"\n"), "update-ref", "--stdin")
	return err
}

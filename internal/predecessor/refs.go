package predecessor

import (
	"bufio"
	"cmp"
	"io"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	packedRefs = "packed-refs"
	// maxLine bounds a line of that file, in bytes. The file is bounded like all of an archive.
	maxLine = 4 << 10
)

// refs find out where a branch is.
type refs struct {
	branch string
	// names are the refs that say it, the one that counts first.
	names  [2]string
	loose  map[string]string // commits by ref; a file counts rather than a line
	packed map[string]string
	seen   bool // packed-refs
}

func newRefs(branch string) refs {
	return refs{
		branch: branch, names: [2]string{"refs/remotes/origin/" + branch, "refs/heads/" + branch},
		loose: map[string]string{}, packed: map[string]string{},
	}
}

// ref takes in a file below .git, if it is about the branch.
func (r *refs) ref(name string, size int64, content io.Reader) error {
	switch name {
	case packedRefs:
		return r.readPacked(content)
	case r.names[0], r.names[1]:
	default:
		return nil
	}
	if size > maxLine {
		return malformed("%s is of %d bytes, limit %d", foreign.Quote(name, 100), size, maxLine)
	}
	text, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	return set(r.loose, name, strings.TrimSuffix(string(text), "\n"))
}

// readPacked reads lines of a commit and a ref (git-pack-refs(1)). Others begin with "#" or "^".
func (r *refs) readPacked(content io.Reader) error {
	if r.seen {
		return malformed("%s twice", packedRefs)
	}
	r.seen = true
	lines := bufio.NewScanner(content)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		commit, name, _ := strings.Cut(lines.Text(), " ")
		if name != r.names[0] && name != r.names[1] {
			continue
		}
		if err := set(r.packed, name, commit); err != nil {
			return err
		}
	}
	return lines.Err()
}

func set(refs map[string]string, name, commit string) error {
	switch {
	case refs[name] != "":
		return malformed("%s twice", foreign.Quote(name, 100))
	case !project.ValidCommit(commit):
		return malformed("%s is at %s, which is not a full SHA-1", foreign.Quote(name, 100), foreign.Quote(commit, 80))
	}
	refs[name] = commit
	return nil
}

// commit is where the branch is: at the source, as far as the clone has seen, or in the clone itself.
func (r *refs) commit() (string, error) {
	remote, local := r.names[0], r.names[1]
	commit := cmp.Or(r.loose[remote], r.packed[remote], r.loose[local], r.packed[local])
	if commit == "" {
		return "", malformed("no branch %s in it", foreign.Quote(r.branch, 100))
	}
	return commit, nil
}

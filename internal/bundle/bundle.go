// Package bundle reads and writes the header of a Git bundle, version 2 (gitformat-bundle(5)). With that header, the
// pack of a branch, a tag or a set of refs becomes a file that stock git can clone or fetch from. The package does not read the pack
// itself.
package bundle

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	firstLine = "# v2 git bundle"

	// maxHeaderSize bounds what ReadHeader reads, in bytes. Ours are below 500; git adds the subject of the prerequisite
	// commit.
	maxHeaderSize = 4096
)

// ErrMalformed says that a header is not the header of a bundle of exactly one branch or tag.
var ErrMalformed = errors.New("malformed bundle header")

// EncodeHeader returns the header of an object's bundle, which the pack follows immediately. The base is the
// prerequisite. HEAD is listed as well, so that git clone knows which branch to check out.
//
// Of a tag, the header has only the tag. What it points to, and what its base is, may be a tag object, which git takes
// neither as HEAD nor as a prerequisite.
func EncodeHeader(id object.ID) ([]byte, error) {
	if err := id.Validate(); err != nil {
		return nil, fmt.Errorf("bundle header: %w", err)
	}
	if id.Destination.IsSet() {
		return nil, errors.New("bundle header: a set of refs needs to have them said")
	}
	var b bytes.Buffer
	fmt.Fprintln(&b, firstLine)
	if id.Destination.IsTag() {
		fmt.Fprintf(&b, "%s %s\n\n", id.Commit, id.Destination.Ref())
		return b.Bytes(), nil
	}
	if id.Base != "" {
		// The space begins the comment, which git itself never leaves out.
		fmt.Fprintf(&b, "-%s \n", id.Base)
	}
	fmt.Fprintf(&b, "%s HEAD\n%s %s\n\n", id.Commit, id.Commit, id.Destination.Ref())
	return b.Bytes(), nil
}

// ReadHeader reads a header, and leaves r at the first byte of the pack. It returns the ID of the object that the
// bundle is of, as far as EncodeHeader writes it, and the header's size in bytes. The project has to be given, since a
// bundle does not name it. It fails with ErrMalformed if the header ends early, or names several branches or tags,
// several prerequisites, or another reference than the branch and HEAD, or than the tag. Other errors are those of r.
func ReadHeader(r *bufio.Reader, of project.Branch) (object.ID, int64, error) {
	lines := lineReader{r: r}
	h := header{ID: object.ID{Destination: project.Branch{Group: of.Group, Name: of.Name}}}
	if err := h.parse(&lines); err != nil {
		return object.ID{}, 0, fmt.Errorf("read bundle: %w", err)
	}
	return h.ID, lines.size, nil
}

// header is what has been read of a header so far.
type header struct {
	object.ID
	headCommit string // what HEAD is; "" if it is not listed
}

func (h *header) parse(lines *lineReader) error {
	line, err := lines.readLine()
	if err != nil {
		return err
	}
	if line != firstLine {
		return malformed("first line is %s, not %q", foreign.Quote(line, 40), firstLine)
	}
	for {
		line, err := lines.readLine()
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
		if err := h.addLine(line); err != nil {
			return err
		}
	}
	switch {
	case h.Destination.IsTag() && (h.headCommit != "" || h.Base != ""):
		return malformed("tag %q with HEAD or a prerequisite", h.Destination.Branch)
	case h.headCommit != "" && h.headCommit != h.Commit:
		return malformed("HEAD is %q, but branch %q is %q", h.headCommit, h.Destination.Branch, h.Commit)
	}
	if err := h.Validate(); err != nil {
		return malformed("%w", err)
	}
	if h.Destination.IsSet() {
		return malformed("%q is a pattern", h.Destination.Branch)
	}
	return nil
}

// addLine adds a prerequisite, "-<commit> <comment>", or a reference, "<commit> <name>".
func (h *header) addLine(line string) error {
	commit, name, _ := strings.Cut(line, " ")
	if base, ok := strings.CutPrefix(commit, "-"); ok {
		if h.Base != "" || h.Commit != "" || h.headCommit != "" || base == "" {
			return malformed("unexpected prerequisite %s", foreign.Quote(line, 80))
		}
		h.Base = base
		return nil
	}
	branch := project.CanonicalBranch(name)
	switch {
	case name == "HEAD" && h.headCommit == "" && commit != "":
		h.headCommit = commit
	case h.Commit == "" && (project.Branch{Branch: branch}).Ref() == name:
		h.Commit, h.Destination.Branch = commit, branch
	default:
		return malformed("unexpected reference %s", foreign.Quote(line, 80))
	}
	return nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMalformed, fmt.Errorf(format, args...))
}

// lineReader reads byte by byte, so that it works with any size of the buffer and reads nothing of the pack.
type lineReader struct {
	r    *bufio.Reader
	size int64
}

func (l *lineReader) readLine() (string, error) {
	var line []byte
	for {
		c, err := l.r.ReadByte()
		if err == io.EOF {
			return "", malformed("truncated after %d bytes", l.size)
		}
		if err != nil {
			return "", err
		}
		if l.size++; l.size > maxHeaderSize {
			return "", malformed("longer than %d bytes", maxHeaderSize)
		}
		if c == '\n' {
			return string(line), nil
		}
		line = append(line, c)
	}
}

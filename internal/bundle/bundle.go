// Package bundle reads and writes the header of a Git bundle, version 2, as
// gitformat-bundle(5) defines it: what stands between the pack of one branch and
// a file that stock git can clone or fetch from. The pack itself is never
// looked at.
package bundle

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	signature = "# v2 git bundle"
	branches  = "refs/heads/"

	// maxHeader bounds what ReadHeader reads, in bytes. Ours are below 500; git
	// adds the subject of the prerequisite commit.
	maxHeader = 4096
)

// ErrMalformed says that a header is not a bundle of exactly one branch.
var ErrMalformed = errors.New("malformed bundle header")

// Header describes a bundle of one branch. Commit and Base are full SHA-1 object
// names in lower-case hexadecimal.
type Header struct {
	Branch string // short name
	Commit string // the branch's tip
	Base   string // the prerequisite of an increment; empty when the pack is complete
}

// Encode returns the header; the pack follows it immediately. HEAD is listed as
// well so that git clone knows which branch to check out.
func (h Header) Encode() ([]byte, error) {
	if err := h.validate(); err != nil {
		return nil, fmt.Errorf("bundle header: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintln(&b, signature)
	if h.Base != "" {
		// The space begins the comment, which git itself never leaves out.
		fmt.Fprintf(&b, "-%s \n", h.Base)
	}
	fmt.Fprintf(&b, "%s HEAD\n%s %s%s\n\n", h.Commit, h.Commit, branches, h.Branch)
	return b.Bytes(), nil
}

func (h Header) validate() error {
	switch {
	case !project.ValidCommit(h.Commit):
		return fmt.Errorf("commit %q is not a full SHA-1", h.Commit)
	case h.Base != "" && !project.ValidCommit(h.Base):
		return fmt.Errorf("prerequisite %q is not a full SHA-1", h.Base)
	}
	return project.ValidateBranch(h.Branch)
}

// ReadHeader reads a header and leaves r at the first byte of the pack. It also
// returns the header's size in bytes. A header that names more than one branch,
// another reference than HEAD besides it, or more than one prerequisite is
// ErrMalformed, and so is one that ends early; other errors of r are kept.
func ReadHeader(r *bufio.Reader) (Header, int64, error) {
	lines := lineReader{r: r}
	h, err := parse(&lines)
	if err != nil {
		return Header{}, 0, fmt.Errorf("read bundle: %w", err)
	}
	return h, lines.size, nil
}

func parse(lines *lineReader) (Header, error) {
	line, err := lines.next()
	if err != nil {
		return Header{}, err
	}
	if line != signature {
		return Header{}, malformed("first line is %s, not %q", foreign.Quote(line, 40), signature)
	}
	var h Header
	head := ""
	for {
		line, err := lines.next()
		if err != nil {
			return Header{}, err
		}
		if line == "" {
			break
		}
		if err := h.add(line, &head); err != nil {
			return Header{}, err
		}
	}
	if head != "" && head != h.Commit {
		return Header{}, malformed("HEAD is %q, but branch %q is %q", head, h.Branch, h.Commit)
	}
	if err := h.validate(); err != nil {
		return Header{}, malformed("%w", err)
	}
	return h, nil
}

// add takes in a prerequisite, "-<commit> <comment>", or a reference,
// "<commit> <name>".
func (h *Header) add(line string, head *string) error {
	commit, name, _ := strings.Cut(line, " ")
	if base, ok := strings.CutPrefix(commit, "-"); ok {
		if h.Base != "" || h.Commit != "" || *head != "" || base == "" {
			return malformed("unexpected prerequisite %s", foreign.Quote(line, 80))
		}
		h.Base = base
		return nil
	}
	branch, isBranch := strings.CutPrefix(name, branches)
	switch {
	case name == "HEAD" && *head == "" && commit != "":
		*head = commit
	case isBranch && h.Commit == "":
		h.Commit, h.Branch = commit, branch
	default:
		return malformed("unexpected reference %s", foreign.Quote(line, 80))
	}
	return nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMalformed, fmt.Errorf(format, args...))
}

// lineReader reads byte by byte, so that it needs nothing of the buffer's size
// and takes nothing of the pack.
type lineReader struct {
	r    *bufio.Reader
	size int64
}

func (l *lineReader) next() (string, error) {
	var line []byte
	for {
		c, err := l.r.ReadByte()
		if err == io.EOF {
			return "", malformed("truncated after %d bytes", l.size)
		}
		if err != nil {
			return "", err
		}
		if l.size++; l.size > maxHeader {
			return "", malformed("longer than %d bytes", maxHeader)
		}
		if c == '\n' {
			return string(line), nil
		}
		line = append(line, c)
	}
}

package bundle

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/refset"
)

// EncodeSetHeader returns the header of the bundle of a set of refs. The refs are those of the object: all of a
// snapshot's, and of an increment those that are new or have moved.
//
// There is no HEAD, because none of a set's branches is before the others, and no prerequisite, because a tag object
// cannot be one. Without refs, the header is the first line alone, and git finds nothing to fetch.
func EncodeSetHeader(set project.Branch, refs []refset.Ref) ([]byte, error) {
	var b bytes.Buffer
	for line, err := range setLines(set, refs) {
		if err != nil {
			return nil, fmt.Errorf("bundle header: %w", err)
		}
		b.WriteString(line)
	}
	return b.Bytes(), nil
}

// ReadSetHeader reads the header that EncodeSetHeader returns for these refs, and leaves r at the first byte of the
// pack. It returns the header's size in bytes. It fails with ErrMalformed for every other header. Other errors are
// those of r.
func ReadSetHeader(r *bufio.Reader, set project.Branch, refs []refset.Ref) (size int64, err error) {
	for want, err := range setLines(set, refs) {
		if err != nil {
			return 0, fmt.Errorf("read bundle: %w", err)
		}
		line := make([]byte, len(want))
		n, err := io.ReadFull(r, line)
		size += int64(n)
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return 0, fmt.Errorf("read bundle: %w", malformed("truncated after %d bytes", size))
		case err != nil:
			return 0, fmt.Errorf("read bundle: %w", err)
		case string(line) != want:
			return 0, fmt.Errorf("read bundle: %w", malformed("%s where the refs of the set have %s", foreign.Quote(line, 100), foreign.Quote(want, 100)))
		}
	}
	return size, nil
}

// setLines are the lines of a header, each with its end, or the reason why there is no such header.
func setLines(set project.Branch, refs []refset.Ref) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if !set.IsSet() {
			yield("", errors.New("not of a set of refs"))
			return
		}
		if !yield(firstLine+"\n", nil) {
			return
		}
		for _, ref := range refs {
			name := set.RefFor(ref.Part)
			if _, ok := set.Match(name); !ok {
				yield("", fmt.Errorf("%s is no ref of the set %q", foreign.Quote(name, 100), set.Branch))
				return
			}
			if !ref.IsDeletion() && !yield(ref.Object+" "+name+"\n", nil) {
				return
			}
		}
		yield("\n", nil)
	}
}

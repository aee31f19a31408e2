// Package predecessor reads and writes the archives of this software's predecessor: an age file around a tar, most often in gzip, of
// a fresh clone with its work tree. What counts in it is one pack,
//
//	.git/objects/pack/….pack
//
// and where a branch is, which .git/packed-refs or a file below .git/refs/ says.
//
// Those that we write have no work tree, and an index of the pack, for its consumer to push from.
//
// Nothing in an archive says what it is for, and nobody has signed it. No file is ever made under a name from it, and nothing
// of it is kept in memory but one line at a time. An index is: see package packfile.
package predecessor

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrMalformed says that an archive is not one clone with one complete pack.
var ErrMalformed = errors.New("malformed archive of the predecessor")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMalformed, fmt.Errorf(format, args...))
}

const (
	gitFolder = ".git/"
	// gzipMagic begins every gzip file (RFC 1952).
	gzipMagic = "\x1f\x8b"
)

// StartSize is how many bytes of an archive Recognise wants to see. The files before .git in a work tree, such as
// .dockerignore, are small.
const StartSize = 64 << 10

// Recognise tells from an archive's first bytes whether the predecessor has made it. One of ours is a tar that begins with
// its manifest.
func Recognise(start []byte) bool {
	if bytes.HasPrefix(start, []byte(gzipMagic)) {
		return true
	}
	archive := tar.NewReader(bytes.NewReader(start))
	for {
		header, err := archive.Next()
		if err != nil {
			return false
		}
		if strings.HasPrefix(memberName(header), gitFolder) {
			return true
		}
	}
}

// memberName is without what GNU tar puts before names, and after those of folders.
func memberName(header *tar.Header) string {
	return strings.TrimSuffix(strings.TrimPrefix(header.Name, "./"), "/")
}

// bounded ends a stream that is longer than it may be.
type bounded struct {
	r    io.Reader
	left int64 // bytes
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, malformed("longer than an archive of this size may be")
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

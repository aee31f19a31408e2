// Package syncsfile reads which syncs are wanted from a file of YAML or JSON.
//
// What may be in it is said by syncs.schema.json. Anything else fails the whole file, because what is missing from
// the list is what the caller removes from the bucket.
package syncsfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// Errors that a caller tells apart with errors.Is.
var (
	// ErrUnreadable is a file that is not there, not a file, or that somebody writes to.
	ErrUnreadable = errors.New("syncs file cannot be read")
	// ErrInvalid is a file that says something else than which syncs are wanted.
	ErrInvalid = errors.New("syncs file is not valid")
)

// maxSize bounds the file in bytes. 50,000 syncs with names of usual length have 7 MiB.
const maxSize = 16 << 20

// File lists syncs. It is safe for concurrent use.
type File struct{ path string }

// At is the file at a path, which need not be there yet.
func At(path string) File { return File{path} }

// Syncs reads the file anew, and lists every sync in its order, duplicates included. The file may be replaced at any time, and
// so may a symbolic link to it: what is returned is the old or the new one, or an error.
//
// Errors: ErrUnreadable and ErrInvalid; the text names the file, and the line where there is one.
func (f File) Syncs(context.Context) ([]project.Sync, error) {
	text, err := f.read()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	syncs, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %q, %w", ErrInvalid, f.path, err)
	}
	return syncs, nil
}

// read does not wait for a writer, as the opening of a FIFO would.
func (f File) read() ([]byte, error) {
	file, err := os.OpenFile(f.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	before, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !before.Mode().IsRegular():
		return nil, fmt.Errorf("%q is not a file: it is %s", f.path, kindOf(before.Mode()))
	case before.Size() > maxSize:
		return nil, fmt.Errorf("%q has %d bytes, more than %d", f.path, before.Size(), maxSize)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return nil, err
	}
	after, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if int64(len(text)) != before.Size() || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return nil, fmt.Errorf("%q was changed while it was read: replace it as a whole, such as with mv", f.path)
	}
	return text, nil
}

func kindOf(mode os.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&os.ModeNamedPipe != 0:
		return "a pipe"
	}
	return "a device or the like"
}

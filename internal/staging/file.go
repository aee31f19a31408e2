package staging

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"
)

// ErrDiskFull says that the work directory has not enough room.
var ErrDiskFull = errors.New("not enough free disk space")

// Create writes a staged file with fill. The file appears under its name only after fill has returned without an
// error, so a file that can be opened is complete. It replaces a file of that name.
func (r Run) Create(name string, fill func(*os.File) error) (err error) {
	dir, err := r.area.ensureFolder()
	if err != nil {
		return asDiskFull(err)
	}
	if err := dir.MkdirAll(r.id, 0o700); err != nil {
		return asDiskFull(err)
	}
	part := path.Join(r.id, name+".part-"+rand.Text())
	f, err := dir.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return asDiskFull(err)
	}
	defer func() {
		if err != nil {
			f.Close()
			_ = dir.Remove(part)
		}
	}()
	if err := fill(f); err != nil {
		return asDiskFull(err)
	}
	if err := f.Close(); err != nil {
		return asDiskFull(err)
	}
	return asMissing(name, dir.Rename(part, path.Join(r.id, name)))
}

// Open opens a staged file for reading. It fails with ErrMissing when there is none.
func (r Run) Open(name string) (*os.File, error) {
	dir, err := r.area.ensureFolder()
	if err != nil {
		return nil, err
	}
	f, err := dir.Open(path.Join(r.id, name))
	return f, asMissing(name, err)
}

func asMissing(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrMissing, name)
	}
	return err
}

// Discard deletes staged files that no later step needs. Missing ones are no error.
func (r Run) Discard(names ...string) error {
	dir, err := r.area.ensureFolder()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := dir.Remove(path.Join(r.id, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Remove deletes the run's folder, if there is one.
func (r Run) Remove() error {
	dir, err := r.area.ensureFolder()
	if err != nil {
		return err
	}
	return dir.RemoveAll(r.id)
}

// asDiskFull adds ErrDiskFull to the errors by which the system says so.
func asDiskFull(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return err
}

// RequireFree fails with ErrDiskFull when fewer than size bytes are free.
func (a *Area) RequireFree(size int64) error {
	dir, err := a.ensureFolder()
	if err != nil {
		return err
	}
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &s); err != nil {
		return fmt.Errorf("free disk space of %s: %w", a.workdir, err)
	}
	free := s.Bavail * uint64(s.Bsize)
	if size > 0 && free < uint64(size) {
		return fmt.Errorf("%w: %s needed, %s free in the work directory: enlarge WORKDIR's volume or lower the concurrency",
			ErrDiskFull, humanize.Bytes(uint64(size)), humanize.Bytes(free))
	}
	return nil
}

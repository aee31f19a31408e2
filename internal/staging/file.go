package staging

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"
)

// ErrDiskFull says that the work directory has too little room.
var ErrDiskFull = errors.New("not enough free disk space")

// Create writes a staged file: it appears under its name only when fill has
// returned without an error, so a file that can be opened is complete. A name that
// exists is replaced.
func (r Run) Create(name string, fill func(*os.File) error) (err error) {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return diskFull(err)
	}
	f, err := os.CreateTemp(r.dir, name+".part-")
	if err != nil {
		return diskFull(err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := fill(f); err != nil {
		return diskFull(err)
	}
	if err := f.Close(); err != nil {
		return diskFull(err)
	}
	return os.Rename(f.Name(), filepath.Join(r.dir, name))
}

// diskFull adds ErrDiskFull to the system's ways of saying so.
func diskFull(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return err
}

// Require fails with ErrDiskFull when fewer than size bytes are free.
func (a *Area) Require(size int64) error {
	var s unix.Statfs_t
	if err := unix.Statfs(a.dir, &s); err != nil {
		return fmt.Errorf("free disk space of %s: %w", a.dir, err)
	}
	free := s.Bavail * uint64(s.Bsize)
	if size > 0 && free < uint64(size) {
		return fmt.Errorf("%w: %s needed, %s free in the work directory: enlarge WORKDIR's volume or lower the concurrency",
			ErrDiskFull, humanize.Bytes(uint64(size)), humanize.Bytes(free))
	}
	return nil
}

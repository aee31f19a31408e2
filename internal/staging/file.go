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

// ErrExists says that there is a staged file already.
var ErrExists = errors.New("the staged file exists already")

// ErrDiskFailed says that the volume of the work directory takes no writes at all.
var ErrDiskFailed = errors.New("the work directory's volume has failed")

// Create writes a staged file with fill. The file appears under its name only after fill has returned without an
// error, so a file that can be opened is complete. It replaces a file of that name.
func (r Run) Create(name string, fill func(*os.File) error) error {
	return r.create(name, fill, func(dir *os.Root, part, path string) error { return dir.Rename(part, path) })
}

// CreateOnce is Create that fails with ErrExists, and replaces nothing, if there is a file of that name by then.
func (r Run) CreateOnce(name string, fill func(*os.File) error) error {
	return r.create(name, fill, func(dir *os.Root, part, path string) error {
		switch err := dir.Link(part, path); {
		case errors.Is(err, fs.ErrExist):
			return fmt.Errorf("%w: %s", ErrExists, name)
		case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS): // a volume without hard links
			return dir.Rename(part, path)
		case err != nil:
			return err
		}
		return dir.Remove(part)
	})
}

func (r Run) create(name string, fill func(*os.File) error, publish func(dir *os.Root, part, path string) error) (err error) {
	dir, err := r.area.ensureFolder()
	if err != nil {
		return asDiskError(err)
	}
	if err := dir.MkdirAll(r.id, 0o700); err != nil {
		return asDiskError(err)
	}
	part := path.Join(r.id, name+".part-"+rand.Text())
	f, err := dir.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return asDiskError(err)
	}
	defer func() {
		if err != nil {
			f.Close()
			_ = dir.Remove(part)
		}
	}()
	if err := fill(f); err != nil {
		return asDiskError(err)
	}
	if err := f.Close(); err != nil {
		return asDiskError(err)
	}
	return asMissing(name, publish(dir, part, path.Join(r.id, name)))
}

// Resume opens a file that stays as it is when fill fails, for another try to go on from there. The file is created if it does
// not exist. Unlike with Create, it may be incomplete: fill has to know.
func (r Run) Resume(name string, fill func(*os.File) error) error {
	dir, err := r.area.ensureFolder()
	if err != nil {
		return asDiskError(err)
	}
	if err := dir.MkdirAll(r.id, 0o700); err != nil {
		return asDiskError(err)
	}
	f, err := dir.OpenFile(path.Join(r.id, name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return asDiskError(err)
	}
	return asDiskError(errors.Join(fill(f), f.Close()))
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

// Has fails with ErrMissing when there is no such staged file.
func (r Run) Has(name string) error {
	f, err := r.Open(name)
	if err == nil {
		err = f.Close()
	}
	return err
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

// Exists fails with ErrMissing when the run has no folder here.
func (r Run) Exists() error {
	dir, err := r.area.ensureFolder()
	if err != nil {
		return err
	}
	_, err = dir.Stat(r.id)
	return asMissing(r.id, err)
}

// Remove deletes the run's folder, if there is one.
func (r Run) Remove() error {
	dir, err := r.area.ensureFolder()
	if err != nil {
		return err
	}
	return dir.RemoveAll(r.id)
}

// asDiskError adds ErrDiskFull or ErrDiskFailed to the errors by which the system says so. After an input/output error, Linux most
// often makes a volume read-only.
func asDiskError(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	case errors.Is(err, unix.EROFS) || errors.Is(err, unix.EIO):
		return fmt.Errorf("%w: %w", ErrDiskFailed, err)
	}
	return err
}

// RequireFree fails with ErrDiskFull when fewer than size bytes are free.
func (a *Area) RequireFree(size int64) error {
	dir, err := a.ensureFolder()
	if err != nil {
		return err
	}
	free, err := a.free(dir)
	if err != nil {
		return err
	}
	if size > 0 && free < uint64(size) {
		return fmt.Errorf("%w: %s needed, %s free in the work directory: enlarge WORKDIR's volume or lower the concurrency",
			ErrDiskFull, humanize.Bytes(uint64(size)), humanize.Bytes(free))
	}
	return nil
}

// free is how many bytes are free where the folder is.
func (a *Area) free(dir *os.Root) (uint64, error) {
	f, err := dir.Open(".")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &s); err != nil {
		return 0, fmt.Errorf("free disk space of %s: %w", a.workdir, err)
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// maxCounted bounds how many files are looked at to tell how much room they take.
const maxCounted = 50_000

// Use returns how many bytes the files of this worker's runs have, or the first 50,000 of them, and how many are free besides.
func (a *Area) Use() (used, free uint64, err error) {
	dir, err := a.ensureFolder()
	if err != nil {
		return 0, 0, err
	}
	counted := 0
	err = fs.WalkDir(dir.FS(), ".", func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() { // a run that is over removes its files
			return nil
		}
		if counted++; counted > maxCounted {
			return fs.SkipAll
		}
		if info, err := e.Info(); err == nil {
			used += uint64(max(0, info.Size()))
		}
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	free, err = a.free(dir)
	return used, free, err
}

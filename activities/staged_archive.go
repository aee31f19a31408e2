package activities

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// stagedArchive is what Package has left: the archive's head, which the bundle belongs behind, or an archive as a whole.
type stagedArchive struct {
	files []*os.File // head and bundle, or the archive
	size  int64      // bytes of all files
}

// openArchive opens what Package has left. It fails with staging.ErrMissing if any of it is missing.
func openArchive(run staging.Run) (*stagedArchive, error) {
	a, err := openStaged(run, headFile, bundleFile)
	if !errors.Is(err, staging.ErrMissing) {
		return a, err
	}
	whole, wholeErr := openStaged(run, archiveFile)
	if errors.Is(wholeErr, staging.ErrMissing) {
		return nil, err // what was looked for first
	}
	if wholeErr != nil {
		return nil, wholeErr
	}
	if err := run.Discard(bundleFile); err != nil { // to make room: the archive has it
		whole.close()
		return nil, err
	}
	return whole, nil
}

func openStaged(run staging.Run, names ...string) (_ *stagedArchive, err error) {
	a := &stagedArchive{}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	for _, name := range names {
		file, err := run.Open(name)
		if err != nil {
			return nil, err
		}
		a.files = append(a.files, file)
		info, err := file.Stat()
		if err != nil {
			return nil, err
		}
		a.size += info.Size()
	}
	return a, nil
}

// write writes the archive to w. If the bundle is not that of the head, it fails with staging.ErrMissing.
func (a *stagedArchive) write(w io.Writer) error {
	if len(a.files) == 1 {
		_, err := io.Copy(w, a.files[0])
		return err
	}
	err := archive.Write(w, a.files[0], a.files[1])
	if errors.Is(err, archive.ErrMalformed) || errors.Is(err, archive.ErrVersion) {
		err = fmt.Errorf("%w: this is not what was cloned (%v)", staging.ErrMissing, err)
	}
	return err
}

func (a *stagedArchive) close() {
	for _, file := range a.files {
		_ = file.Close() // it was only read
	}
}

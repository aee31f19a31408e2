package activities

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/app-sre/git-partition-sync/internal/crypt"
)

// Encrypted is an encrypted object on a worker's disk.
type Encrypted struct {
	Size int64 `json:"size"` // bytes
}

// Encrypt encrypts the archive to the recipients. It first deletes the bundle, which is no longer needed, to make
// room.
func (p *Producer) Encrypt(ctx context.Context, work UploadWork) (encrypted Encrypted, err error) {
	run, err := p.Staging.Run(work.Staged.Run)
	if err != nil {
		return encrypted, err
	}
	archive, err := run.Open(archiveFile)
	if err != nil {
		return encrypted, err
	}
	defer archive.Close()
	info, err := archive.Stat()
	if err != nil {
		return encrypted, err
	}
	if err := run.Discard(bundleFile); err != nil {
		return encrypted, err
	}
	if err := p.Staging.RequireFree(info.Size()); err != nil {
		return encrypted, err
	}

	meter := startMeter(ctx, info.Size())
	defer meter.stop()
	err = run.Create(objectFile, func(f *os.File) error {
		w, err := crypt.Encrypt(f, p.Recipients)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, meter.read(archive))
		if err := errors.Join(err, w.Close()); err != nil {
			return err
		}
		encrypted.Size, err = f.Seek(0, io.SeekCurrent)
		return err
	})
	return encrypted, err
}

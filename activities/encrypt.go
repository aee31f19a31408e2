package activities

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// Encrypted is an object of the bucket that is still on a worker's disk.
type Encrypted struct {
	Staged Staged    `json:"staged"`
	Object object.ID `json:"object"`
	// Follows is that of plan.Upload.
	Follows plan.Follows `json:"follows,omitzero"`
	// CreatedAt is that of the manifest.
	CreatedAt time.Time `json:"created_at"`
	// Note is what an operator should know of that time.
	Note string `json:"note,omitempty"`
	Size int64  `json:"size"` // bytes
}

// Encrypt encrypts the archive to the recipients. What Package worked from is no longer
// needed then, and makes room.
func (p *Producer) Encrypt(ctx context.Context, packaged Packaged) (encrypted Encrypted, err error) {
	run, err := p.Staging.Run(packaged.Staged.Run)
	if err != nil {
		return encrypted, err
	}
	archive, err := run.Open(archiveFile)
	if err != nil {
		return encrypted, err
	}
	defer archive.Close()
	if err := run.Discard(bundleFile); err != nil {
		return encrypted, err
	}
	if err := p.Staging.Require(packaged.Size); err != nil {
		return encrypted, err
	}

	meter := startMeter(ctx, packaged.Size)
	defer meter.stop()
	encrypted = Encrypted{Staged: packaged.Staged, Object: packaged.Object, Follows: packaged.Follows, CreatedAt: packaged.CreatedAt, Note: packaged.Note}
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

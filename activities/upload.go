package activities

import (
	"context"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// Uploaded is an object that is in the bucket.
type Uploaded struct {
	Summary string    `json:"summary"`
	Key     string    `json:"key"`
	Object  object.ID `json:"object"`
	Size    int64     `json:"size"` // bytes
}

// Upload puts the object into the bucket. The archive it was made from makes room.
func (p *Producer) Upload(ctx context.Context, encrypted Encrypted) (uploaded Uploaded, err error) {
	run, err := p.Staging.Run(encrypted.Staged.Run)
	if err != nil {
		return uploaded, err
	}
	file, err := run.Open(objectFile)
	if err != nil {
		return uploaded, err
	}
	defer file.Close()
	if err := run.Discard(archiveFile); err != nil {
		return uploaded, err
	}
	key, err := encrypted.Object.Key()
	if err != nil {
		return uploaded, err
	}
	meter := startMeter(ctx, encrypted.Size)
	defer meter.stop()
	if err := p.put(ctx, key, meteredAt{file, meter}, encrypted); err != nil {
		return uploaded, err
	}
	summary := fmt.Sprintf("%s, %s", Describe(encrypted.Object), humanize.Bytes(uint64(encrypted.Size)))
	if encrypted.Note != "" {
		summary += "; " + encrypted.Note
	}
	return Uploaded{
		Summary: summary,
		Key:     key,
		Object:  encrypted.Object,
		Size:    encrypted.Size,
	}, nil
}

// meteredAt notes how far the object was read. The parts are read at the same time, and
// more than once when they are signed or sent again.
type meteredAt struct {
	io.ReaderAt
	meter *meter
}

func (r meteredAt) ReadAt(p []byte, offset int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(p, offset)
	r.meter.reach(offset + int64(n))
	return n, err
}

// Describe says in words what an object is.
func Describe(id object.ID) string {
	if id.Base == "" {
		return "snapshot " + plan.Short(id.Commit)
	}
	return fmt.Sprintf("increment %s -> %s", plan.Short(id.Base), plan.Short(id.Commit))
}

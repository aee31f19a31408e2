package activities

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/app-sre/git-partition-sync/internal/objectkey"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// maxClockStep is how long an upload waits for the bucket's clock.
const maxClockStep = 10 * time.Second

// Uploaded is an object that is in the bucket.
type Uploaded struct {
	Summary string        `json:"summary"`
	Key     string        `json:"key"`
	Object  objectkey.Key `json:"object"`
	Size    int64         `json:"size"` // bytes
}

// Upload puts the object into the bucket. The archive it was made from makes room.
func (p *Producer) Upload(ctx context.Context, encrypted Encrypted) (uploaded Uploaded, err error) {
	run, err := p.Staging.Run(encrypted.Staged.Run)
	if err != nil {
		return uploaded, err
	}
	object, err := run.Open(objectFile)
	if err != nil {
		return uploaded, err
	}
	defer object.Close()
	if err := run.Discard(archiveFile); err != nil {
		return uploaded, err
	}
	key, err := encrypted.Object.Encode()
	if err != nil {
		return uploaded, err
	}
	meter := startMeter(ctx, encrypted.Size)
	defer meter.stop()
	if err := p.put(ctx, key, meteredAt{object, meter}, encrypted); err != nil {
		return uploaded, err
	}
	return Uploaded{
		Summary: fmt.Sprintf("%s, %s", Describe(encrypted.Object), humanize.Bytes(uint64(encrypted.Size))),
		Key:     key,
		Object:  encrypted.Object,
		Size:    encrypted.Size,
	}, nil
}

// put uploads the object so that it is the newest of its branch. S3 counts in seconds: within the
// second of the last upload it could not be told which of the two came later.
func (p *Producer) put(ctx context.Context, key string, body io.ReaderAt, encrypted Encrypted) error {
	for {
		if err := p.Bucket.Upload(ctx, key, body, encrypted.Size); err != nil {
			return err
		}
		if encrypted.After.IsZero() {
			return nil
		}
		object, err := p.Bucket.Stat(ctx, key)
		if err != nil || object.Modified.Truncate(time.Second).After(encrypted.After) {
			return err
		}
		if object.Modified.Before(encrypted.After.Add(-maxClockStep)) {
			return fmt.Errorf("the bucket's clock went back from %s to %s", encrypted.After, object.Modified)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
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
func Describe(k objectkey.Key) string {
	if k.Base == "" {
		return "snapshot " + plan.Short(k.Commit)
	}
	return fmt.Sprintf("increment %s -> %s", plan.Short(k.Base), plan.Short(k.Commit))
}

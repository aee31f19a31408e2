package activities

import (
	"context"
	"fmt"
	"os"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/objectkey"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// Decrypted is what the destination needs, as Git bundles on a worker's disk.
type Decrypted struct {
	Staged      Staged         `json:"staged"`
	Destination project.Branch `json:"destination"`
	Commit      string         `json:"commit"`
	Objects     []plan.Object  `json:"objects"` // oldest first; the file names are numbered
}

// Decrypt takes the bundles out of the objects. An object whose manifest, key and content do
// not agree is refused.
func (c *Consumer) Decrypt(ctx context.Context, downloaded Downloaded) (decrypted Decrypted, err error) {
	run, err := c.Staging.Run(downloaded.Staged.Run)
	if err != nil {
		return decrypted, err
	}
	var total int64
	for _, o := range downloaded.Objects {
		total += o.Size
	}
	meter := startMeter(ctx, total)
	defer meter.stop()
	for i, o := range downloaded.Objects {
		if err := c.decrypt(run, i, o, meter); err != nil {
			return decrypted, fmt.Errorf("object %s: %w", o.Key, err)
		}
	}
	return Decrypted(downloaded), nil
}

func (c *Consumer) decrypt(run staging.Run, i int, o plan.Object, meter *meter) error {
	key, err := objectkey.Parse(o.Key)
	if err != nil {
		return err
	}
	object, err := run.Open(numbered(objectFile, i))
	if err != nil {
		return err
	}
	defer object.Close()
	plaintext, err := crypt.Decrypt(meter.read(object), c.Identities)
	if err != nil {
		return err
	}
	reader, err := archive.NewReader(plaintext)
	if err != nil {
		return err
	}
	if err := reader.Manifest.Matches(key); err != nil {
		return err
	}
	return run.Create(numbered(bundleFile, i), func(f *os.File) error {
		return reader.CopyBundle(f)
	})
}

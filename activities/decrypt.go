package activities

import (
	"context"
	"fmt"
	"os"
	"time"

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
	Bundles     []Bundle       `json:"bundles"` // oldest first; the file names are numbered
	// AllowRollback is what the operator said, of plan.Push.
	AllowRollback bool `json:"allow_rollback,omitempty"`
}

// Bundle is what is to be known of a Git bundle.
type Bundle struct {
	Commit string    `json:"commit"`
	Base   string    `json:"base,omitempty"`
	Thin   bool      `json:"thin,omitempty"`
	MadeAt time.Time `json:"made_at"` // of the manifest
}

// Decrypt takes the bundles out of the objects. An object that a trusted key has not signed, or
// whose manifest, key and content do not agree, is refused.
func (c *Consumer) Decrypt(ctx context.Context, downloaded Downloaded) (decrypted Decrypted, err error) {
	run, err := c.Staging.Run(downloaded.Staged.Run)
	if err != nil {
		return decrypted, err
	}
	meter := startMeter(ctx, sizeOf(downloaded.Objects))
	defer meter.stop()
	decrypted = Decrypted{
		Staged:        downloaded.Staged,
		Destination:   downloaded.Destination,
		Commit:        downloaded.Commit,
		AllowRollback: downloaded.AllowRollback,
	}
	for i, o := range downloaded.Objects {
		manifest, err := c.decrypt(run, i, o, meter)
		if err != nil {
			return decrypted, fmt.Errorf("object %s: %w", o.Key, err)
		}
		decrypted.Bundles = append(decrypted.Bundles, Bundle{manifest.Commit, manifest.Base, manifest.Thin, manifest.CreatedAt})
	}
	return decrypted, nil
}

func (c *Consumer) decrypt(run staging.Run, i int, o plan.Object, meter *meter) (manifest archive.Manifest, err error) {
	key, err := objectkey.Parse(o.Key)
	if err != nil {
		return manifest, err
	}
	object, err := run.Open(numbered(objectFile, i))
	if err != nil {
		return manifest, err
	}
	defer object.Close()
	plaintext, err := crypt.Decrypt(meter.read(object), c.Identities)
	if err != nil {
		return manifest, err
	}
	reader, err := archive.NewReader(plaintext)
	if err != nil {
		return manifest, err
	}
	if err := c.Verifier.Verify(reader.ManifestBytes, reader.Signature); err != nil {
		return manifest, err
	}
	if err := reader.Manifest.Matches(key); err != nil {
		return manifest, err
	}
	if err := reader.Manifest.IsFor(c.Environment); err != nil {
		return manifest, err
	}
	return reader.Manifest, run.Create(numbered(bundleFile, i), func(f *os.File) error {
		return reader.CopyBundle(f)
	})
}

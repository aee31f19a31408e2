package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// ErrOtherRun says that the objects are not those of the run's destination.
var ErrOtherRun = errors.New("the run's objects and its destination disagree")

// Decrypted is what the destination needs, as Git bundles on a worker's disk.
type Decrypted struct {
	Staged      Staged           `json:"staged"`
	Destination project.Branch   `json:"destination"`
	Commit      string           `json:"commit"`
	Bundles     []archive.Bundle `json:"bundles"` // oldest first; the file names are numbered
	// Tip, Follows and AtTip are those of Downloaded.
	Tip     string          `json:"tip,omitempty"`
	Follows plan.Follows    `json:"follows,omitzero"`
	AtTip   *archive.Bundle `json:"at_tip,omitempty"`
	// AllowRollback is what the operator said, of plan.Push.
	AllowRollback bool `json:"allow_rollback,omitempty"`
}

// Decrypt takes the bundles out of the objects. An object that a trusted key has not signed, or
// whose manifest, key and content do not agree, is refused.
func (c *Consumer) Decrypt(ctx context.Context, downloaded Downloaded) (decrypted Decrypted, err error) {
	run, err := c.Staging.Run(downloaded.Staged.Run)
	if err != nil {
		return decrypted, err
	}
	if err := agree(downloaded.Destination, downloaded.Commit, downloaded.Objects); err != nil {
		return decrypted, err
	}
	meter := startMeter(ctx, sizeOf(downloaded.Objects))
	defer meter.stop()
	decrypted = Decrypted{
		Staged:        downloaded.Staged,
		Destination:   downloaded.Destination,
		Commit:        downloaded.Commit,
		Tip:           downloaded.Tip,
		Follows:       downloaded.Follows,
		AtTip:         downloaded.AtTip,
		AllowRollback: downloaded.AllowRollback,
	}
	for i, o := range downloaded.Objects {
		bundle, err := c.decrypt(run, i, o, meter)
		if err != nil {
			return decrypted, fmt.Errorf("object %s: %w", o.Key, err)
		}
		decrypted.Bundles = append(decrypted.Bundles, bundle)
	}
	return decrypted, nil
}

func (c *Consumer) decrypt(run staging.Run, i int, o object.Stored, meter *meter) (bundle archive.Bundle, err error) {
	encrypted, err := run.Open(numbered(objectFile, i))
	if err != nil {
		return bundle, err
	}
	defer encrypted.Close()
	reader, err := c.open(meter.read(encrypted), o.ID)
	if err != nil {
		return bundle, err
	}
	return reader.Manifest.Bundle, run.Create(numbered(bundleFile, i), func(f *os.File) error {
		return reader.CopyBundle(f)
	})
}

// open reads an object up to its bundle, and refuses it unless a trusted key has signed a manifest that agrees with the
// object's key.
func (c *Consumer) open(encrypted io.Reader, id object.ID) (*archive.Reader, error) {
	plaintext, err := crypt.Decrypt(encrypted, c.Identities)
	if err != nil {
		return nil, err
	}
	reader, err := archive.NewReader(plaintext)
	if err != nil {
		return nil, err
	}
	if err := c.Verifier.Verify(reader.ManifestBytes, reader.Signature); err != nil {
		return nil, err
	}
	if err := reader.Manifest.Matches(id); err != nil {
		return nil, err
	}
	if err := reader.Manifest.IsFor(c.Environment); err != nil {
		return nil, err
	}
	return reader, c.checkClock(reader.Manifest.CreatedAt)
}

// agree refuses a run whose objects are not its destination's, or do not lead to its commit in their order:
// whoever may start a workflow might name any.
func agree(destination project.Branch, commit string, objects []object.Stored) error {
	at := ""
	for i, o := range objects {
		switch {
		case o.Destination != destination:
			return fmt.Errorf("%w: object %s is for %s", ErrOtherRun, o.Key, o.Destination)
		case i > 0 && o.Base != at:
			return fmt.Errorf("%w: object %s builds on %q, and follows %s", ErrOtherRun, o.Key, o.Base, at)
		}
		at = o.Commit
	}
	if len(objects) > 0 && at != commit {
		return fmt.Errorf("%w: the objects lead to %s, not to %s", ErrOtherRun, at, commit)
	}
	return nil
}

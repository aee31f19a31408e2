package activities

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// Packaged is a branch as a tar archive on a worker's disk.
type Packaged struct {
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

// Package writes the archive: the manifest that describes the bundle, its signature, and the bundle.
func (p *Producer) Package(ctx context.Context, cloned Cloned) (packaged Packaged, err error) {
	run, err := p.Staging.Run(cloned.Staged.Run)
	if err != nil {
		return packaged, err
	}
	if err := p.Staging.Require(cloned.Bundle.Size); err != nil {
		return packaged, err
	}
	bundle, err := run.Open(bundleFile)
	if err != nil {
		return packaged, err
	}
	defer bundle.Close()

	created, followed := plan.Created(p.Clock(), cloned.Before)
	note := ""
	if !followed {
		note = fmt.Sprintf("the object before claims to be of %s, far ahead of this clock: its time was not followed", cloned.Before.Format(time.RFC3339))
	}
	cloned.Bundle.CreatedAt = created
	manifest, err := archive.Manifest{
		Bundle:      cloned.Bundle,
		CreatedBy:   p.Version,
		Environment: p.Environment,
	}.Encode()
	if err != nil {
		return packaged, err
	}
	meter := startMeter(ctx, cloned.Bundle.Size)
	defer meter.stop()
	err = run.Create(archiveFile, func(f *os.File) error {
		return archive.Write(f, manifest, p.Signer.Sign(manifest), meter.read(bundle))
	})
	if err != nil {
		return packaged, err
	}
	return Packaged{
		Staged:    cloned.Staged,
		Object:    cloned.Bundle.ID,
		Follows:   cloned.Follows,
		CreatedAt: created,
		Note:      note,
		Size:      cloned.Bundle.Size,
	}, nil
}

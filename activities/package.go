package activities

import (
	"context"
	"os"
	"time"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/objectkey"
)

// Packaged is a branch as a tar archive on a worker's disk.
type Packaged struct {
	Staged Staged        `json:"staged"`
	Object objectkey.Key `json:"object"`
	After  time.Time     `json:"after,omitzero"` // of plan.Upload
	Size   int64         `json:"size"`           // bytes
}

// Package writes the archive: the manifest that describes the bundle, its signature, and the bundle.
func (p *Producer) Package(ctx context.Context, cloned Cloned) (packaged Packaged, err error) {
	run, err := p.Staging.Run(cloned.Staged.Run)
	if err != nil {
		return packaged, err
	}
	if err := p.Staging.Require(cloned.Size); err != nil {
		return packaged, err
	}
	bundle, err := run.Open(bundleFile)
	if err != nil {
		return packaged, err
	}
	defer bundle.Close()

	manifest, err := archive.Manifest{
		Destination:  cloned.Destination,
		Commit:       cloned.Commit,
		Base:         cloned.Base,
		Thin:         cloned.Thin,
		CreatedAt:    time.Now(),
		BundleSize:   cloned.Size,
		BundleSHA256: cloned.SHA256,
		CreatedBy:    p.Version,
		Environment:  p.Environment,
	}.Encode()
	if err != nil {
		return packaged, err
	}
	meter := startMeter(ctx, cloned.Size)
	defer meter.stop()
	err = run.Create(archiveFile, func(f *os.File) error {
		return archive.Write(f, manifest, p.Signer.Sign(manifest), meter.read(bundle))
	})
	if err != nil {
		return packaged, err
	}
	return Packaged{
		Staged: cloned.Staged,
		Object: cloned.Object(),
		After:  cloned.After,
		Size:   cloned.Size,
	}, nil
}

package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// PackageInput is what Package needs besides the Work.
type PackageInput struct {
	Bundle archive.Bundle `json:"bundle"`
	Before time.Time      `json:"before,omitzero"` // of Cloned
	// WhySnapshot is likewise.
	WhySnapshot string `json:"why_snapshot,omitempty"`
}

// Packaged describes the archive on a worker's disk.
type Packaged struct {
	CreatedAt time.Time `json:"created_at"`     // of the manifest
	Note      string    `json:"note,omitempty"` // what an operator should know about CreatedAt, and about the pack
	// ManifestSHA256 is in lower-case hexadecimal; empty for the predecessor, whose objects have no manifest.
	ManifestSHA256 string `json:"manifest_sha256,omitempty"`
}

// Package writes the archive's head: the manifest that describes the bundle, the manifest's signature, the refs of a set, and the
// list of LFS objects if there are any. The bundle stays where it is until Encrypt puts it behind. If Clone has left none of
// these, it fails with staging.ErrMissing, and the run starts over. What an attempt before has written stays as it is: that attempt
// may have been given up, and still be followed by its Encrypt.
func (p *Producer) Package(ctx context.Context, work UploadWork, in PackageInput) (packaged Packaged, err error) {
	run, err := p.Staging.Run(work.Staged.Run)
	if err != nil {
		return packaged, err
	}
	if err := run.Has(bundleFile); err != nil {
		return packaged, err
	}
	created, followed := plan.NextCreationTime(p.Clock(), in.Before)
	if last := work.Plan.MadeAfter; !created.After(last) { // said by this producer's own catalog, and not only by the bucket
		created, followed = last.Add(1).UTC(), true
	}
	packaged.CreatedAt, packaged.Note = created, in.WhySnapshot
	if !followed {
		notes := []string{in.WhySnapshot, fmt.Sprintf("the object before claims to be of %s, far ahead of this clock: its time was not followed", in.Before.Format(time.RFC3339))}
		packaged.Note = strings.TrimPrefix(strings.Join(notes, "; "), "; ")
	}
	if p.WritePredecessor {
		return packaged, p.packageForPredecessor(ctx, run, in.Bundle, created)
	}
	meter := startMeter(ctx, in.Bundle.RefsSize+in.Bundle.LFSSize)
	defer meter.stop()
	in.Bundle.CreatedAt = created
	head, err := p.ensureHead(run, in.Bundle)
	if err == nil {
		packaged.CreatedAt, packaged.ManifestSHA256 = head.Manifest.CreatedAt, sha256Of(head.ManifestBytes)
	}
	return packaged, err
}

// ensureHead returns the head of the bundle, which it writes unless there is one. It may be that of another attempt, made at another
// time.
func (p *Producer) ensureHead(run staging.Run, b archive.Bundle) (*archive.Reader, error) {
	if head, err := p.writtenHead(run, b); err != nil || head != nil {
		return head, err
	}
	if err := run.Discard(headFile); err != nil { // of something else
		return nil, err
	}
	if err := p.writeHead(run, b); err != nil && !errors.Is(err, staging.ErrExists) {
		return nil, err
	}
	head, err := p.writtenHead(run, b)
	if err == nil && head == nil {
		err = fmt.Errorf("%w: %s is of something else", staging.ErrMissing, headFile)
	}
	return head, err
}

func (p *Producer) writeHead(run staging.Run, b archive.Bundle) error {
	manifest, err := archive.Manifest{Bundle: b, CreatedBy: p.Version, Environment: p.Environment}.Encode()
	if err != nil {
		return err
	}
	signature, err := p.Signer.Sign(manifest)
	if err != nil {
		return err
	}
	var refs, lfsList []byte
	if b.Destination.IsSet() {
		if refs, err = stagedText(run, refsFile); err != nil {
			return err
		}
	}
	if err := requireLFSList(run, b); err != nil {
		return err
	}
	if b.HasLFS() {
		if lfsList, err = stagedText(run, lfsFile); err != nil {
			return err
		}
	}
	return run.CreateOnce(headFile, func(f *os.File) error {
		return archive.WriteHead(f, manifest, signature, refs, lfsList)
	})
}

// writtenHead returns the head that an attempt before has written of the bundle; nil if there is none.
func (p *Producer) writtenHead(run staging.Run, b archive.Bundle) (*archive.Reader, error) {
	file, err := run.Open(headFile)
	if errors.Is(err, staging.ErrMissing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	head, err := archive.NewReader(file)
	if errors.Is(err, archive.ErrMalformed) || errors.Is(err, archive.ErrVersion) {
		return nil, nil // not ours: it is replaced
	}
	if err != nil {
		return nil, err
	}
	b.CreatedAt = head.Manifest.CreatedAt
	if head.Manifest.Bundle != b || head.Manifest.CreatedBy != p.Version {
		return nil, nil
	}
	return head, nil
}

func sha256Of(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

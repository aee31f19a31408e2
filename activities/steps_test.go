package activities

import (
	"context"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

// producing is an upload between two steps: the work, and what the steps before have made.
type producing struct {
	Work UploadWork
	Cloned
	SentLFS UploadedLFS
	Packaged
	Encrypted
}

// The steps of ProduceProject, each on what the ones before have made, as the workflow hands it on.

func (r *rig) clone(ctx context.Context, u plan.Upload) (p producing, err error) {
	p.Work.Plan = u
	p.Cloned, err = r.producer.Clone(ctx, p.Work)
	p.Work.Staged = p.Staged
	return p, err
}

func (r *rig) findLFS(ctx context.Context, p producing) (FoundLFS, error) {
	return r.producer.FindLFS(ctx, p.Work)
}

func (r *rig) uploadLFS(ctx context.Context, p producing) (producing, error) {
	if !p.LFS {
		return p, nil
	}
	found, err := r.producer.FindLFS(ctx, p.Work)
	if err != nil || found.Objects == 0 {
		return p, err
	}
	return r.sendLFS(ctx, p)
}

// sendLFS is without looking for what to send.
func (r *rig) sendLFS(ctx context.Context, p producing) (_ producing, err error) {
	p.SentLFS, err = r.producer.UploadLFS(ctx, p.Work)
	p.Bundle.LFSSize, p.Bundle.LFSSHA256 = p.SentLFS.ListSize, p.SentLFS.ListSHA256
	return p, err
}

func (r *rig) pack(ctx context.Context, p producing) (producing, error) {
	var err error
	p.Packaged, err = r.producer.Package(ctx, p.Work, PackageInput{Bundle: p.Bundle, Before: p.Before, WhySnapshot: p.WhySnapshot})
	return p, err
}

func (r *rig) encrypt(ctx context.Context, p producing) (producing, error) {
	var err error
	p.Encrypted, err = r.producer.Encrypt(ctx, p.Work)
	return p, err
}

func (r *rig) upload(ctx context.Context, p producing) (Uploaded, error) {
	uploaded, err := r.producer.Upload(ctx, p.Work, UploadInput{
		ID: p.Bundle.ID, CreatedAt: p.CreatedAt, Note: p.Note, ManifestSHA256: p.ManifestSHA256, Changes: p.Changes, Size: p.Size, LFS: p.SentLFS.MovedLFS,
	})
	r.ended(p.Work.Plan.Sync.Destination, uploaded, err)
	return uploaded, err
}

// consuming is a push between two steps.
type consuming struct {
	Work PushWork
	Downloaded
	Decrypted
	LFS *PushedLFS
}

// The steps of ConsumeProject, likewise.

func (r *rig) download(ctx context.Context, push plan.Push) (c consuming, err error) {
	c.Work.Plan = push
	c.Downloaded, err = r.consumer.Download(ctx, c.Work)
	c.Work.Staged = c.Staged
	return c, err
}

func (r *rig) decrypt(ctx context.Context, c consuming) (consuming, error) {
	var err error
	c.Decrypted, err = r.consumer.Decrypt(ctx, c.Work, DecryptInput{Commit: c.Target.Commit, Objects: c.Objects})
	return c, err
}

func (r *rig) pushLFS(ctx context.Context, c consuming) (consuming, error) {
	if c.LFSObjects == 0 {
		return c, nil
	}
	pushed, err := r.consumer.PushLFS(ctx, c.Work, PushInput{Target: c.Target, Bundles: c.Bundles})
	c.LFS = &pushed
	return c, err
}

func (r *rig) push(ctx context.Context, c consuming) (Pushed, error) {
	return r.consumer.Push(ctx, c.Work, PushInput{Target: c.Target, Bundles: c.Bundles, LFS: c.LFS})
}

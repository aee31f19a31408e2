package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// pushLFSRig is a rig whose destination has LFS. Its bucket gets what a producer puts there.
type pushLFSRig struct {
	*rig
	lfs *gitserver.LFS
}

func newPushLFSRig(t *testing.T, options ...gitserver.Option) *pushLFSRig {
	t.Helper()
	r := &pushLFSRig{rig: newTrustedRig(t)}
	r.serveLFS(destinationRepo, options...)
	return r
}

// serveLFS starts another destination, with LFS and one project. Its token has nothing in common with the paths of its links.
func (r *pushLFSRig) serveLFS(repo string, options ...gitserver.Option) {
	r.Helper()
	credentials := gitserver.Credentials{User: "bot", Password: "a token for the destination"}
	var err error
	r.destination, err = gitserver.Start(r.TempDir(), credentials, append(options, gitserver.WithLFS())...)
	require.NoError(r, err)
	r.Cleanup(func() { r.destination.Close() })
	require.NoError(r, r.destination.Create(r.Context(), repo))
	u, err := url.Parse(r.destination.URL())
	require.NoError(r, err)
	r.consumer.Destination = smarthttp.New(smarthttp.Options{Forge: gitlab.At(u), Username: credentials.User, Password: credentials.Password})
	r.consumer.LFS = lfsapi.New(lfsapi.Options{
		Forge: gitlab.At(u), Username: credentials.User, Password: credentials.Password, Limits: lfsapi.Limits{Pause: 2 * time.Second},
	})
	r.lfs = r.destination.LFS()
}

func lfsObject(content string) lfs.Object {
	sum := sha256.Sum256([]byte(content))
	return lfs.Object{OID: hex.EncodeToString(sum[:]), Size: int64(len(content))}
}

// segment is the key of an object's only segment.
func (r *pushLFSRig) segment(o lfs.Object) string {
	r.Helper()
	key, err := lfs.Key(r.sync.Destination, o.OID, 1)
	require.NoError(r, err)
	return key
}

// store puts contents into the bucket, each as one segment of its object.
func (r *pushLFSRig) store(contents ...string) (objects []lfs.Object) {
	r.Helper()
	for _, content := range contents {
		o := lfsObject(content)
		r.put(r.segment(o), r.seal([]byte(content)))
		objects = append(objects, o)
	}
	return objects
}

// commitPointers commits to the main branch of the source a file for each object.
func (r *pushLFSRig) commitPointers(objects ...lfs.Object) string {
	r.Helper()
	files := map[string]string{}
	for _, o := range objects {
		files[o.OID+".bin"] = gitserver.Pointer(o)
	}
	sha, err := r.source.Commit(r.Context(), sourceRepo, "main", files, "pointers")
	require.NoError(r, err)
	return sha
}

// missing is the list of objects that the source does not have.
func missing(objects ...lfs.Object) lfs.List {
	list := lfs.NewList(objects)
	for i := range list {
		list[i].Missing = true
	}
	return list
}

// produceWith uploads what is at the source, as needing the objects of a list.
func (r *pushLFSRig) produceWith(needed lfs.List) Uploaded {
	r.Helper()
	moves := must(r.rig, r.producer.PlanUploads, PlanRequest{}).Moves
	require.Len(r, moves, 1)
	return r.uploadWith(moves[0], needed)
}

func (r *pushLFSRig) uploadWith(u plan.Upload, needed lfs.List) Uploaded {
	r.Helper()
	p := must(r.rig, r.clone, u)
	p.Bundle.BindLFS(needed.Encode())
	r.archive(&p, needed.Encode())
	uploaded := must(r.rig, r.upload, must(r.rig, r.encrypt, p))
	r.publish()
	return uploaded
}

// archive is the step Package, with a list.
func (r *pushLFSRig) archive(p *producing, needed []byte) {
	r.Helper()
	run, err := r.producer.Staging.Run(p.Staged.Run)
	require.NoError(r, err)
	p.Bundle.CreatedAt, _ = plan.NextCreationTime(r.producer.Clock(), p.Before)
	manifest, err := archive.Manifest{Bundle: p.Bundle, CreatedBy: "test"}.Encode()
	require.NoError(r, err)
	signature, err := r.producer.Signer.Sign(manifest)
	require.NoError(r, err)
	sum := sha256.Sum256(manifest)
	p.CreatedAt, p.ManifestSHA256 = p.Bundle.CreatedAt, hex.EncodeToString(sum[:])
	var refs []byte
	if p.Bundle.Destination.IsSet() {
		refs, err = stagedText(run, refsFile)
		require.NoError(r, err)
	}
	require.NoError(r, run.Create(headFile, func(f *os.File) error {
		return archive.WriteHead(f, manifest, signature, refs, needed)
	}))
}

// decrypted is what the consumer has before it sends anything.
func (r *pushLFSRig) decrypted() consuming {
	r.Helper()
	return must(r.rig, r.rig.decrypt, r.received())
}

// failsLFS runs the step PushLFS, which must fail with a named error that a person has to see to.
func (r *pushLFSRig) failsLFS(kind string, c consuming) string {
	r.Helper()
	return fails(r.rig, kind, r.pushLFS, c)
}

// requireHas checks what of the objects the destination has.
func (r *pushLFSRig) requireHas(objects []lfs.Object, want bool) {
	r.Helper()
	for _, o := range objects {
		require.Equal(r, want, r.lfs.Has(destinationRepo, o.OID), o.OID)
	}
}

// contentThere is what the destination has of an object.
func (r *pushLFSRig) contentThere(o lfs.Object) string {
	r.Helper()
	content, err := os.ReadFile(r.lfs.Path(destinationRepo, o.OID))
	require.NoError(r, err)
	return string(content)
}

// lose takes an object away from the destination.
func (r *pushLFSRig) lose(oid string) {
	r.Helper()
	require.NoError(r, os.Remove(r.lfs.Path(destinationRepo, oid)))
}

// spiedLFS is a destination's LFS server, with what happens when it is asked, and what around each upload. Functions may be
// nil.
type spiedLFS struct {
	LFSDestination
	batch  func(op lfsapi.Operation, objects []lfs.Object)
	upload func(t lfsapi.Transfer, send func() error) error
}

func (s spiedLFS) Batch(ctx context.Context, project string, op lfsapi.Operation, objects []lfs.Object) ([]lfsapi.Transfer, error) {
	if s.batch != nil {
		s.batch(op, objects)
	}
	return s.LFSDestination.Batch(ctx, project, op, objects)
}

func (s spiedLFS) Upload(ctx context.Context, t lfsapi.Transfer, content io.ReaderAt) error {
	send := func() error { return s.LFSDestination.Upload(ctx, t, content) }
	if s.upload == nil {
		return send()
	}
	return s.upload(t, send)
}

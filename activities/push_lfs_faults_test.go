package activities

import (
	"errors"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
	"github.com/app-sre/git-partition-sync/internal/staging"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// What the destination's LFS server does not do is named, and tried again where that may help. Once it does, the run goes on,
// and takes nothing from the bucket again that it had there already.
func TestLFSServersFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault func(*gitserver.LFSSwitches)
		kind  string
		retry bool
		again bool // the bucket is asked again, since it was not asked before
	}{
		"no LFS":                 {func(s *gitserver.LFSSwitches) { s.Disabled = true }, "LFSNotEnabled", false, true},
		"not implemented":        {func(s *gitserver.LFSSwitches) { s.BatchStatus = http.StatusNotImplemented }, "LFSNotEnabled", false, true},
		"may not push":           {func(s *gitserver.LFSSwitches) { s.BatchStatus = http.StatusForbidden }, "GitForbidden", false, true},
		"token refused":          {func(s *gitserver.LFSSwitches) { s.BatchStatus = http.StatusUnauthorized }, "GitAuthFailed", false, true},
		"too large":              {func(s *gitserver.LFSSwitches) { s.UploadStatus = http.StatusRequestEntityTooLarge }, "LFSTooLarge", false, false},
		"full":                   {func(s *gitserver.LFSSwitches) { s.UploadStatus = http.StatusInsufficientStorage }, "LFSFull", false, false},
		"malformed":              {func(s *gitserver.LFSSwitches) { s.UploadStatus = http.StatusUnprocessableEntity }, "LFSRejected", false, false},
		"fails":                  {func(s *gitserver.LFSSwitches) { s.UploadStatus = http.StatusInternalServerError }, "GitServerFailed", true, false},
		"busy for long":          {func(s *gitserver.LFSSwitches) { s.UploadStatus, s.RetryAfter = http.StatusTooManyRequests, "3600" }, "RateLimited", true, false},
		"verification fails":     {func(s *gitserver.LFSSwitches) { s.VerifyStatus = http.StatusNotFound }, "LFSRejected", false, true},
		"links that are refused": {func(s *gitserver.LFSSwitches) { s.Store, s.UploadStatus = true, http.StatusForbidden }, "LFSLinkRefused", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newPushLFSRig(t)
			content := random(10_000)
			objects := r.store(content)
			tip := r.commitPointers(objects...)
			r.produceWith(lfs.NewList(objects))
			d := r.decrypted()
			r.lfs.Switch(test.fault)
			_, err := execute(r.rig, r.pushLFS, d)
			var failure *temporal.ApplicationError
			require.ErrorAs(t, err, &failure)
			require.Equal(t, test.kind, failure.Type(), failure)
			require.Equal(t, !test.retry, failure.NonRetryable())
			require.Contains(t, failure.Message(), "destination mirror/platform/router@stable: ")

			r.lfs.Switch(func(s *gitserver.LFSSwitches) { *s = gitserver.LFSSwitches{} })
			if !test.again {
				require.NoError(t, r.producer.Bucket.Delete(t.Context(), r.segment(objects[0])))
			}
			must(r.rig, r.push, must(r.rig, r.pushLFS, d))
			require.Equal(t, content, r.contentThere(objects[0]))
			require.Equal(t, tip, r.tip())
		})
	}
}

// A busy server is waited for, and links to an object store are followed.
func TestLFSServersThatTakeTheirTime(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*gitserver.LFSSwitches){
		"busy": func(s *gitserver.LFSSwitches) {
			s.UploadStatus, s.RetryAfter, s.Failures = http.StatusTooManyRequests, "1", 1
		},
		"batch busy": func(s *gitserver.LFSSwitches) {
			s.BatchStatus, s.RetryAfter, s.Failures = http.StatusServiceUnavailable, "1", 1
		},
		"object store": func(s *gitserver.LFSSwitches) { s.Store = true },
		"expires":      func(s *gitserver.LFSSwitches) { s.Store, s.ExpiresIn = true, 10*time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newPushLFSRig(t)
			objects := r.store("one")
			r.commitPointers(objects...)
			r.produceWith(lfs.NewList(objects))
			r.lfs.Switch(change)
			require.Contains(t, r.consume()[0].Summary, "1 LFS object, 3 B")
			r.requireHas(objects, true)
		})
	}
}

// What the server says against one object of those that it was asked about is no sign that it has it.
func TestLFSObjectThatTheServerRefuses(t *testing.T) {
	t.Parallel()
	r := newPushLFSRig(t)
	objects := r.store("one", "two")
	r.commitPointers(objects...)
	r.produceWith(lfs.NewList(objects))
	_, err := r.lfs.Add(destinationRepo, []byte("one"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(r.lfs.Path(destinationRepo, objects[0].OID), []byte("another"), 0o600))
	text := r.failsLFS("LFSRejected", r.decrypted())
	require.Contains(t, text, "LFS object "+objects[0].OID)
	require.Contains(t, text, "Object has 7 bytes")
}

// What is on the disk from an attempt before counts only if it is the object.
func TestAlteredLFSObjectOnTheDiskIsNotSent(t *testing.T) {
	t.Parallel()
	r := newPushLFSRig(t)
	objects := r.store("right")
	r.commitPointers(objects...)
	r.produceWith(lfs.NewList(objects))
	d := r.decrypted()
	run, err := r.consumer.Staging.Run(d.Staged.Run)
	require.NoError(t, err)
	require.NoError(t, stageText(run, lfsObjectFile(objects[0]), []byte("wrong")))
	must(r.rig, r.pushLFS, d)
	require.Equal(t, "right", r.contentThere(objects[0]))
	require.Equal(t, 1, r.lfs.Counts().Uploads)
	require.ErrorIs(t, run.Has(lfsObjectFile(objects[0])), staging.ErrMissing, "what nobody needs any more is removed")
	require.NoError(t, run.Has(numbered(objectFile, 0)), "the bundle is in it")
}

// The disk is asked before the bucket.
func TestLFSObjectsThatDoNotFit(t *testing.T) {
	t.Parallel()
	r := newPushLFSRig(t)
	huge := lfs.Object{OID: lfsObject("huge").OID, Size: 1 << 49}
	r.commitPointers(huge)
	r.produceWith(lfs.NewList([]lfs.Object{huge}))
	_, err := execute(r.rig, r.pushLFS, r.decrypted())
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	require.Equal(t, "DiskFull", failure.Type(), failure)
	require.False(t, failure.NonRetryable())
}

// An answer that was lost leaves no file behind: the next object needs the room.
func TestLostAnswerLeavesNoFile(t *testing.T) {
	t.Parallel()
	r := newPushLFSRig(t)
	objects := r.store("one")
	r.commitPointers(objects...)
	r.produceWith(lfs.NewList(objects))
	server := r.consumer.LFS
	r.consumer.LFS = spiedLFS{LFSDestination: server, upload: func(_ lfsapi.Transfer, send func() error) error {
		require.NoError(t, send())
		return errors.New("the answer was lost")
	}}
	d := r.decrypted()
	_, err := execute(r.rig, r.pushLFS, d)
	require.ErrorContains(t, err, "the answer was lost")
	file := lfsObjectFile(objects[0])
	require.Contains(t, r.stagedNames(), file)
	r.consumer.LFS = server
	require.Equal(t, 1, must(r.rig, r.pushLFS, d).LFS.There)
	require.NotContains(t, r.stagedNames(), file)
}

// A worker is killed before and after each upload, and between the steps: another one sends what is left, and nothing twice.
func TestInterruptedLFSIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	const n = 3
	for killed := range n + 1 {
		t.Run([]string{"before the first", "after the first", "after the second", "between the steps"}[killed], func(t *testing.T) {
			t.Parallel()
			r := newPushLFSRig(t)
			objects := r.store("one", "two", "three")
			tip := r.commitPointers(objects...)
			r.produceWith(lfs.NewList(objects))

			server := r.consumer.LFS
			var mu sync.Mutex
			left := killed
			r.consumer.LFS = spiedLFS{LFSDestination: server, upload: func(_ lfsapi.Transfer, send func() error) error {
				mu.Lock()
				defer mu.Unlock()
				if left == 0 {
					return errors.New("killed")
				}
				left--
				return send()
			}}
			_, err := execute(r.rig, r.pushLFS, r.decrypted())
			require.Equal(t, killed == n, err == nil)

			r.consumer.LFS, r.consumer.Staging = server, r.area() // of another worker
			there := r.lfs.Counts().Uploads
			require.LessOrEqual(t, there, killed)
			d := must(r.rig, r.pushLFS, r.decrypted())
			require.Equal(t, PushedLFS{MovedLFS: MovedLFS{Sent: n - there, There: there, Size: lfs.TotalSize(objects)}}, *d.LFS)
			require.Equal(t, n, r.lfs.Counts().Uploads)
			must(r.rig, r.push, d)
			require.Equal(t, tip, r.tip())
		})
	}
}

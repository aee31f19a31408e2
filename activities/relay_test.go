package activities

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

func TestRelay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.commit("one")
	uploaded := r.produce()
	require.Len(t, uploaded, 1)
	require.Equal(t, object.ID{Destination: r.sync.Destination, Commit: first}, uploaded[0].ID)
	require.Contains(t, uploaded[0].Summary, "snapshot "+plan.Short(first))
	require.Empty(t, r.produce(), "what is in the bucket is not uploaded again")

	pushed := r.consume()
	require.Len(t, pushed, 1)
	require.Equal(t, first, r.tip())
	require.Empty(t, pushed[0].Old)
	require.Contains(t, pushed[0].Summary, "created at "+plan.Short(first))
	require.Empty(t, r.consume(), "what is there is not pushed again")

	second := r.commit("two")
	uploaded = r.produce()
	require.Equal(t, object.ID{Destination: r.sync.Destination, Commit: second, Base: first}, uploaded[0].ID)
	require.Equal(t, first, r.consume()[0].Old)
	require.Equal(t, second, r.tip())
	_, err := r.destination.Git(t.Context(), destinationRepo, "fsck", "--strict")
	require.NoError(t, err)
}

func twice[I, O any](r *rig, activity func(context.Context, I) (O, error), in I) O {
	r.Helper()
	must(r, activity, in)
	return must(r, activity, in)
}

// A step that is run again, as after a lost completion, comes to the same result.
func TestStepsRunAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tip := r.commit("one")
	u := must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]
	twice(r, r.upload, twice(r, r.encrypt, twice(r, r.pack, twice(r, r.clone, u))))
	pushed := twice(r, r.push, twice(r, r.decrypt, twice(r, r.download, r.planPushes().Moves[0])))
	require.Equal(t, "already at "+plan.Short(tip), pushed.Summary)
	require.Equal(t, tip, r.tip())
}

// An attempt that was given up may be at work beside the next one: whichever head Encrypt finds, it is the one whose hash goes on.
func TestPackageAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("one")
	cloned := must(r, r.clone, must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0])
	first := must(r, r.pack, cloned)
	require.Equal(t, first.Packaged, must(r, r.pack, cloned).Packaged)

	run, err := r.producer.Staging.Run(cloned.Staged.Run)
	require.NoError(t, err)
	late := cloned.Bundle
	late.CreatedAt = first.Packaged.CreatedAt.Add(time.Hour)
	require.ErrorIs(t, r.producer.writeHead(run, late), staging.ErrExists, "an attempt that found no head yet, and comes to write its own only now")
	require.Equal(t, first.Packaged, must(r, r.pack, cloned).Packaged)

	other := cloned
	other.Bundle.Thin = true
	require.NotEqual(t, first.ManifestSHA256, must(r, r.pack, other).ManifestSHA256, "it is of another bundle")
	r.producer.Version += " or later"
	require.NotEqual(t, first.CreatedAt, must(r, r.pack, cloned).CreatedAt)
}

func TestFilesAreRemoved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("one")
	u := must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]
	cloned := must(r, r.clone, u)
	packaged := must(r, r.pack, cloned)
	require.NoError(t, r.producer.Cleanup(t.Context(), cloned.Staged))
	fails(r, KindStagedFileMissing, r.encrypt, packaged)
	require.NoError(t, r.producer.Cleanup(t.Context(), cloned.Staged))

	outside := filepath.Join(t.TempDir(), "outside")
	require.NoError(t, os.Mkdir(outside, 0o700))
	require.Error(t, r.producer.Cleanup(t.Context(), Staged{Run: "../../" + filepath.Base(outside)}))
}

func TestCloneFails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("one")
	upload := plan.Upload{Sync: r.sync}

	missing := upload
	missing.Sync.Source.Branch = "nowhere"
	list := r.producer.Syncs.(*listed)
	list.syncs = []project.Sync{missing.Sync}
	require.Contains(t, fails(r, "BranchNotFound", r.clone, missing), "source platform/router@nowhere: branch does not exist\n")
	missing = upload
	missing.Sync.Source.Name = "nobody"
	list.syncs = []project.Sync{missing.Sync}
	fails(r, "ProjectNotFound", r.clone, missing)

	list.syncs = []project.Sync{upload.Sync}
	_, other := r.git("other/repo")
	r.producer.Source = other // with another token
	fails(r, "ProjectNotFound", r.clone, upload)
}

// seal makes an object the way a producer does, and returns its key and what is in it.
func seal(r *rig) (key string, content []byte) {
	r.Helper()
	uploaded := r.produce()[0]
	var object bytes.Buffer
	require.NoError(r, r.consumer.Bucket.Download(r.Context(), uploaded.Key, "", uploaded.Size, &object))
	return uploaded.Key, object.Bytes()
}

func TestConsumerRefusesBadObjects(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tip := r.commit("one")
	key, good := seal(r)
	foreign := func() []byte {
		other, err := age.GenerateX25519Identity()
		require.NoError(t, err)
		var out bytes.Buffer
		w, err := age.Encrypt(&out, other.Recipient())
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return out.Bytes()
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	tests := map[string]struct {
		content []byte
		kind    string
	}{
		"truncated": {good[:len(good)-1], "CorruptObject"},
		"empty":     {nil, "ForeignObject"},
		"damaged":   {flipped, "CorruptObject"},
		"not ours":  {[]byte("hello"), "ForeignObject"},
		"wrong key": {foreign(), "WrongKey"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r.put(key, test.content)
			p := r.planPushes().Moves[0]
			fails(r, test.kind, r.decrypt, must(r, r.download, p))
		})
	}
	t.Run("renamed", func(t *testing.T) {
		other, err := object.ID{Destination: project.Branch{Group: "mirror", Name: "other", Branch: "main"}, Commit: tip}.Key()
		require.NoError(t, err)
		require.NoError(t, r.destination.Create(t.Context(), "mirror/other"))
		r.put(other, good)
		pushes := r.planPushes().Moves
		p := pushes[slices.IndexFunc(pushes, func(p plan.Push) bool { return p.Destination.String() == "mirror/other@main" })]
		fails(r, "ObjectMismatch", r.decrypt, must(r, r.download, p))
		require.NoError(t, r.producer.Bucket.Delete(t.Context(), other))
	})
	t.Run("healed", func(t *testing.T) {
		r.put(key, good)
		r.consume()
		require.Equal(t, tip, r.tip())
	})
}

func TestConsumerCannotPush(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("one")
	r.produce()
	p := r.planPushes().Moves[0]
	missing := p
	missing.Destination.Name, missing.Objects = "nobody", nil
	require.Contains(t, fails(r, "ProjectNotFound", r.download, missing), "destination mirror/platform/nobody@stable: ")

	r.hook("pre-receive", "echo 'GitLab: the branch is protected' >&2; exit 1")
	decrypted := must(r, r.decrypt, must(r, r.download, p))
	require.Contains(t, fails(r, "PushRefused", r.push, decrypted), "GitLab: the branch is protected")
	r.hook("pre-receive", "")
	must(r, r.push, decrypted)
}

func TestUndecodableKeysAreReported(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tip := r.commit("one")
	r.put("notes.txt", []byte("hello"))
	require.Len(t, r.produce(), 1, "they stop nobody")
	p := r.planPushes()
	require.Len(t, p.Failed, 1)
	require.Equal(t, plan.KindUndecodableKey, p.Failed[0].Kind)
	require.Contains(t, p.Failed[0].Subject, "notes.txt")
	r.consume()
	require.Equal(t, tip, r.tip())
}

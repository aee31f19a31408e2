package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/lfs"
)

// While the producer's workers are upgraded, a workflow of the release before LFS may run the steps of this one. It leaves the LFS
// objects out, and its commits must not go without them.
func TestOlderWorkflowPackagesNothingWithoutLFS(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	r.commitLFS("main", nil, r.large("one"))
	u := must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]
	const why = "LFS objects were left out, as by a worker of an older release: upgrade all of them: "

	p := must(r, r.clone, u)
	require.Contains(t, fails(r, KindStagedFileMissing, r.pack, p), why)
	must(r, r.findLFS, p)
	require.Contains(t, fails(r, KindStagedFileMissing, r.pack, p), why)
	must(r, r.sendLFS, p)
	require.Contains(t, fails(r, KindStagedFileMissing, r.pack, p), why)
	must(r, r.pack, must(r, r.sendLFS, p))

	r.commit("no large file")
	p = must(r, r.clone, u)
	require.Contains(t, fails(r, KindStagedFileMissing, r.pack, p), why, "it was not searched")
	r.producer.LFS = nil
	must(r, r.pack, must(r, r.clone, u))
}

// Likewise, at the consumer.
func TestOlderWorkflowPushesNothingWithoutLFS(t *testing.T) {
	t.Parallel()
	r := newPushLFSRig(t)
	objects := r.store("one")
	tip := r.commitPointers(objects...)
	r.produceWith(lfs.NewList(objects))
	d := r.decrypted()
	for i := range d.Bundles { // it does not know these members
		d.Bundles[i].LFSSize, d.Bundles[i].LFSSHA256 = 0, ""
	}
	require.Contains(t, fails(r.rig, KindStagedFileMissing, r.push, d), "LFS objects were left out, as by a worker of an older release")
	_, err := r.destination.Git(t.Context(), destinationRepo, "rev-parse", "--verify", r.sync.Destination.Ref())
	require.Error(t, err, "nothing was pushed")

	must(r.rig, r.push, must(r.rig, r.pushLFS, r.decrypted()))
	require.Equal(t, tip, r.tip())
}

// With LFS=false here, nothing is left out that should be there.
func TestOlderWorkflowWithoutLFS(t *testing.T) {
	t.Parallel()
	r := newPushLFSRig(t)
	r.consumer.LFS = nil
	objects := r.store("one")
	tip := r.commitPointers(objects...)
	r.produceWith(lfs.NewList(objects))
	must(r.rig, r.push, r.decrypted())
	require.Equal(t, tip, r.tip())
}

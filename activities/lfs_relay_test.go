package activities

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// A destination that takes no commits without their LFS objects, as GitLab, gets both, with snapshots and with increments.
func TestLFSRelay(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	(&pushLFSRig{rig: r}).serveLFS(destinationRepo)
	require.NoError(t, r.destination.LFS().RefuseMissing(destinationRepo))
	one, two, three := r.large("one"), r.large("two"), r.large("three")
	tip := r.commitLFS("main", nil, one, two)
	r.produce()
	require.Contains(t, r.consume()[0].Summary, "2 LFS objects, 6 B")
	require.Equal(t, tip, r.tip())

	tip = r.commitLFS("main", map[string]string{"again": gitserver.Pointer(one)}, three)
	require.NotEmpty(t, r.produce()[0].ID.Base)
	require.Contains(t, r.consume()[0].Summary, "1 LFS object, 5 B")
	require.Equal(t, tip, r.tip())
	for oid, content := range r.heldLFS() {
		got, err := os.ReadFile(r.destination.LFS().Path(destinationRepo, oid))
		require.NoError(t, err)
		require.Equal(t, content, string(got))
	}
	require.Equal(t, 3, r.destination.LFS().Counts().Uploads)

	r.producer.LFS = nil
	r.commitLFS("main", nil, r.large("left out"))
	r.produce()
	p := r.planPushes().Moves[0]
	require.Contains(t, fails(r, "LFSRequired", r.push, must(r, r.decrypt, must(r, r.download, p))), "the producer has LFS=false")
	require.Equal(t, tip, r.tip())
}

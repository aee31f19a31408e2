package activities

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

// A destination that takes the branch but not the replay guard, or does not show it, could be given an old object later. Then the
// branch does not move at all.
func TestDestinationThatKeepsNoMemory(t *testing.T) {
	t.Parallel()
	const onlyBranches = "for ref; do :; done; while read old new ref; do case $ref in refs/heads/*|refs/tags/*);; *) echo 'no such ref' >&2; exit 1;; esac; done"
	for name, test := range map[string]struct {
		setup              func(*rig)
		fresh, established string // kinds
	}{
		"receive.hideRefs":      {func(r *rig) { r.atDestination("config", "receive.hideRefs", ownRefs) }, "RefForbidden", "RefForbidden"},
		"transfer.hideRefs":     {func(r *rig) { r.atDestination("config", "transfer.hideRefs", ownRefs) }, "RefForbidden", "RefForbidden"},
		"uploadpack.hideRefs":   {func(r *rig) { r.atDestination("config", "uploadpack.hideRefs", ownRefs) }, "RefForbidden", "RefForbidden"},
		"only the replay guard": {func(r *rig) { r.atDestination("config", "receive.hideRefs", ownRefs+"/applied") }, "RefForbidden", "RefForbidden"},
		"an update hook": {func(r *rig) {
			r.hook("update", `case $1 in refs/heads/*|refs/tags/*);; *) echo 'no such ref' >&2; exit 1;; esac`)
		}, "PushRefused", "RefForbidden"},
		"a pre-receive hook": {func(r *rig) { r.hook("pre-receive", onlyBranches) }, "PushRefused", "PushRefused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			values := r.watch()
			test.setup(r)
			tip := r.commit(random(20_000))
			r.produce()
			failure := r.failing()
			require.Equal(t, test.fresh, failure.Type(), failure)
			require.Contains(t, failure.Message(), ownRefs+"/", "says what has to be taken")
			require.NotContains(t, failure.Message(), "could not be removed", "nothing was taken")
			require.Empty(t, values())

			require.NoError(t, os.RemoveAll(filepath.Join(r.destination.Dir(destinationRepo), "config")))
			require.NoError(t, r.destination.Create(t.Context(), destinationRepo))
			for _, hook := range []string{"update", "pre-receive"} {
				_ = os.Remove(filepath.Join(r.destination.Dir(destinationRepo), "hooks", hook))
			}
			r.consume()
			require.Equal(t, []string{tip}, values())
			before := r.ownRefs()

			test.setup(r)
			r.commit("two")
			r.produce()
			failure = r.failing()
			require.Equal(t, test.established, failure.Type(), failure)
			require.Equal(t, []string{tip}, values())
			require.Equal(t, before, r.ownRefs())
		})
	}
}

// A branch that only reads or only pushes see has not moved, and nobody else pushed.
func TestDestinationThatHidesTheBranch(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"receive.hideRefs", "uploadpack.hideRefs", "transfer.hideRefs"} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			first := r.commit(random(20_000))
			r.arrives(first)
			r.atDestination("config", from, r.sync.Destination.Ref())
			r.commit("two")
			r.produce()
			failure := r.failing()
			require.Equal(t, "RefForbidden", failure.Type(), failure)
			require.Contains(t, failure.Message(), r.sync.Destination.Ref())
			require.Equal(t, first, r.tip())
			require.Len(t, r.ownRefs(), 2, "what came ahead is gone; git leaves hidden refs out of a transaction, so the replay guard may have moved")
		})
	}
}

// A source that went to another commit and came back between two cycles was seen last when it came back: what it was at in
// between is old.
func TestThereAndBackAgain(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	home := r.commit(random(20_000))
	r.arrives(home)
	away := r.commit("away")
	between := r.produce()[0]
	r.reset(home)
	back := r.produce()[0]

	p := r.planPushes().Moves
	require.Len(t, p, 1)
	require.Contains(t, p[0].Reason, "has yet to note the bucket's newest object")
	d := r.received()
	require.Empty(t, d.Objects, "nothing is downloaded but the newest object's first bytes")
	pushed := must(r, r.push, must(r, r.decrypt, d))
	require.Zero(t, pushed.Size)
	require.Empty(t, r.planPushes().Moves, "an idle cycle is idle again")
	require.Len(t, r.ownRefs(), 2)

	r.withoutCatalog()
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), back.Key))
	require.Equal(t, away, r.planPushes().Moves[0].Commit)
	require.Equal(t, "Replayed", r.failing().Type())
	require.Equal(t, home, r.tip())

	remembered := r.remembered()
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), between.Key))
	require.Equal(t, "already at "+home[:7], r.consume()[0].Summary)
	require.Equal(t, remembered, r.remembered(), "an older object of the same commit does not take the replay guard back")
}

// remembered is the destination's ref that remembers the manifest applied last.
func (r *rig) remembered() string {
	r.Helper()
	refs := slices.DeleteFunc(r.ownRefs(), func(ref string) bool { return !strings.Contains(ref, "/at-") })
	require.Len(r, refs, 1)
	return refs[0]
}

// Destinations that were synced before notes were kept have a replay guard without any.
func TestMemoryWithoutNoteIsUnderstood(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.arrives(r.commit("one"))
	for _, ref := range r.ownRefs() {
		if strings.Contains(ref, "/object-") {
			r.atDestination("update-ref", "-d", ref)
		}
	}
	require.Len(t, r.ownRefs(), 1)
	require.Equal(t, "already at "+r.tip()[:7], r.consume()[0].Summary)
	require.Len(t, r.ownRefs(), 2)
	require.Empty(t, r.planPushes().Moves)
}

// A destination that was synced without verify keys is given its memory once there are some, although its branch is where it
// should be.
func TestKeysThatComeLater(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	verifier := r.consumer.Verifier
	r.consumer.Verifier = sign.Unverified()
	tip := r.commit("one")
	r.arrives(tip)
	require.Empty(t, r.ownRefs())

	r.consumer.Verifier = verifier
	pushed := r.consume()
	require.Len(t, pushed, 1)
	require.Equal(t, "already at "+tip[:7], pushed[0].Summary)
	require.Len(t, r.ownRefs(), 2)
	require.Empty(t, r.planPushes().Moves)
}

func TestBlocks(t *testing.T) {
	ours := incomingRef(project.Branch{Branch: "a/b"})
	for ref, want := range map[string]bool{
		ownRefs + "/incoming": true, ownRefs + "/incoming/a": true, ownRefs + "/incoming/a/b": true, ours + "/x": true,
		ours: false, ownRefs + "/incoming/a/b/tip2": false, ownRefs + "/incoming/ab": false, ownRefs + "/incoming/a/c": false, "refs": false, "refs/heads/a": false,
	} {
		require.Equal(t, want, blocks(ref, ours), ref)
	}
}

// A manifest from a clock far ahead would make everything that follows look old.
func TestObjectsFromTheFutureAreRefused(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	tip := r.commit("one")
	r.produce()
	d := r.received()
	r.consumer.Clock = func() time.Time { return time.Now().Add(-maxClockLead - time.Hour) }
	require.Contains(t, fails(r, "FutureObject", r.decrypt, d), "Set the clocks")
	r.consumer.Clock = time.Now
	decrypted := must(r, r.decrypt, d)
	r.consumer.Clock = func() time.Time { return time.Now().Add(-maxClockLead - time.Hour) }
	fails(r, "FutureObject", r.push, decrypted)
	require.Empty(t, r.ownRefs())
	r.consumer.Clock = func() time.Time { return time.Now().Add(-maxClockLead + time.Hour) }
	r.consume()
	require.Equal(t, tip, r.tip())
}

func TestDestinationWithoutAtomicPushes(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.atDestination("config", "receive.advertiseAtomic", "false")
	values := r.watch()
	tip := r.commit("one")
	r.produce()
	require.Equal(t, "NoAtomicPush", r.failing().Type())
	require.Empty(t, values())
	require.Empty(t, r.ownRefs(), "found out before a pack is sent")
	r.consumer.Verifier = sign.Unverified() // then a branch alone moves
	r.consume()
	require.Equal(t, tip, r.tip())
}

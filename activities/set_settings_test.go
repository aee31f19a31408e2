package activities

import (
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// syncsSet has both sides do what there is to do with the set, which is an increment or a snapshot.
func (r *rig) syncsSet(set project.Sync) (Uploaded, Pushed) {
	r.Helper()
	r.configure(set)
	uploaded, pushed := r.produce(), r.consume()
	require.Len(r, uploaded, 1)
	require.Len(r, pushed, 1)
	r.sameRefs("")
	require.Empty(r, r.planPushes().Moves)
	return uploaded[0], pushed[0]
}

// A destination that completes no packs takes a set's increments from a producer with THIN_PACKS=false.
func TestSetWithoutThinPacks(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.destination, r.consumer.Destination = r.git(destinationRepo, gitserver.WithMiddleware(withoutThinPacks))
	set := pair("refs/*", "refs/*")
	shared := random(20_000)
	r.commitOn("main", "one\n"+shared)
	r.syncsSet(set)

	r.commitOn("main", "two\n"+shared)
	r.annotate("main", "first")
	thin := r.produce()[0]
	require.Contains(t, fails(r, "NoThinPacks", r.push, must(r, r.decrypt, r.received())), "Set THIN_PACKS=false for the producer")

	r.producer.ThinPacks = false
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), thin.Key))
	healed, _ := r.syncsSet(set)
	r.commitOn("main", "three\n"+shared)
	complete, _ := r.syncsSet(set)
	require.Equal(t, healed.ID.Commit, complete.ID.Base, "an increment still, but self-contained")
	require.Greater(t, complete.Size, thin.Size+10_000)

	r.atSource("tag", "-d", "v1")
	r.consumer.DeleteRefs, r.consumer.MaxDeletedShare = true, 1
	r.syncsSet(set)
}

// PUBLIC_KEY is replaced while a set follows its source: a snapshot takes the place of what only the old key opens, and increments
// follow it.
func TestSetsPublicKeyIsChanged(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	set := pair("refs/*", "refs/*")
	r.commitOn("main", random(20_000))
	r.syncsSet(set)
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	r.producer.Recipients, r.consumer.Identities = []age.Recipient{id.Recipient()}, []age.Identity{id}

	r.atSource("tag", "v1", "main")
	snapshot, _ := r.syncsSet(set)
	require.Empty(t, snapshot.ID.Base)
	r.atSource("tag", "v2", "main")
	increment, _ := r.syncsSet(set)
	require.Equal(t, snapshot.ID.Commit, increment.ID.Base)

	r.destination, r.consumer.Destination = r.git(destinationRepo)
	require.Len(t, r.consume(), 1)
	r.sameRefs("")
}

// The longest pattern whose keys the store takes, with refs of the longest names: all own refs at the destination fit, too.
func TestSetOfTheLongestNames(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.consumer.DeleteRefs, r.consumer.MaxDeletedShare = true, 1
	prefix := "refs/heads/" + strings.Repeat("p", 52)
	set, tooLong := pair(prefix+"*", prefix+"*"), pair(prefix+"p*", prefix+"p*")
	longest, deepest := prefix+strings.Repeat("p", 250-52), prefix+"p"+strings.Repeat("/p", (250-53)/2)
	tip := r.commitOn("main", random(20_000))
	r.atSource("update-ref", longest, tip)
	r.atSource("update-ref", deepest, tip)

	r.configure(tooLong)
	fails(r, plan.KindKeyTooLong, r.clone, must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0])

	arrived := func(refs ...string) {
		t.Helper()
		out, err := r.destination.Git(t.Context(), destinationRepo, "for-each-ref", "--format=%(refname)", "refs/heads")
		require.NoError(t, err)
		require.ElementsMatch(t, refs, strings.Fields(out))
		require.Empty(t, r.planPushes().Moves)
	}
	r.configure(set)
	r.producer.syncCache = syncCache{}
	r.produce()
	require.Len(t, r.consume(), 1)
	arrived(longest, deepest)

	r.atSource("update-ref", "-d", longest)
	r.atSource("update-ref", deepest, r.commitOn("main", "two"))
	r.produce()
	require.Len(t, r.consume(), 1)
	arrived(deepest)
}

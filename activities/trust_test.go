package activities

import (
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

func signingKey(t *testing.T) (sign.Signer, sign.Verifier) {
	t.Helper()
	secret, public, err := sign.Generate()
	require.NoError(t, err)
	signer, err := sign.ParseSigner(secret)
	require.NoError(t, err)
	verifier, err := sign.ParseVerifier(public)
	require.NoError(t, err)
	return signer, verifier
}

// newTrustedRig is a rig whose producer signs and whose consumer verifies.
func newTrustedRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	r.producer.Signer, r.consumer.Verifier = signingKey(t)
	return r
}

// ownRefs are the names of the consumer's refs at the destination.
func (r *rig) ownRefs() []string {
	r.Helper()
	out, err := r.destination.Git(r.Context(), destinationRepo, "for-each-ref", "--format=%(refname)", ownRefs)
	require.NoError(r, err)
	return strings.Fields(out)
}

// received downloads what the consumer lacks.
func (r *rig) received() consuming {
	r.Helper()
	return must(r, r.download, r.planPushes().Moves[0])
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	trusted := r.producer.Signer
	tip := r.commit("one")

	r.producer.Signer = sign.Unsigned()
	unsigned := r.produce()[0]
	fails(r, "Unsigned", r.decrypt, r.received())

	require.NoError(t, r.producer.Bucket.Delete(t.Context(), unsigned.Key))
	r.producer.Signer, _ = signingKey(t)
	forged := r.produce()[0]
	fails(r, "BadSignature", r.decrypt, r.received())

	require.NoError(t, r.producer.Bucket.Delete(t.Context(), forged.Key))
	r.producer.Signer = trusted
	r.produce()
	require.Empty(t, r.consume()[0].Warning)
	require.Equal(t, tip, r.tip())
}

// Two environments that share their keys and, by mistake, their bucket do not take each other's objects.
func TestEnvironments(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	named := func(name string) archive.Environment {
		e, err := archive.ParseEnvironment(name)
		require.NoError(t, err)
		return e
	}
	r.producer.Environment, r.consumer.Environment = "staging", named("production")
	tip := r.commit("one")
	r.produce()
	d := r.received()
	text := fails(r, "WrongEnvironment", r.decrypt, d)
	require.Contains(t, text, `made for another environment: "staging", this is "production"`)
	require.Contains(t, text, "ENVIRONMENT")

	r.consumer.Environment = archive.Environment{}
	fails(r, "WrongEnvironment", r.decrypt, d) // nobody has said which one this is
	r.consumer.Environment = named("staging")
	must(r, r.push, must(r, r.decrypt, d))
	require.Equal(t, tip, r.tip())
}

func TestUnverifiedIsSaid(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("one")
	r.produce()
	require.Equal(t, Unverified, r.planPushes().Warning)
	require.Equal(t, Unverified, r.consume()[0].Warning)
}

// An old object, however well signed, does not take a branch back. A source that was really reset
// does: its manifest is new.
func TestReplay(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	first := r.commit(random(20_000))
	snapshot := r.produce()[0]
	r.consume()
	second := r.commit("two")
	increment := r.produce()[0]
	r.consume()

	require.NoError(t, r.producer.Bucket.Delete(t.Context(), increment.Key))
	r.withoutCatalog()
	d := r.received()
	require.Equal(t, first, d.Target.Commit)
	text := fails(r, "Replayed", r.push, must(r, r.decrypt, d))
	require.Contains(t, text, "allow_rollback")
	require.Equal(t, second, r.tip())

	remembered := r.remembered()
	p := r.planPushes().Moves[0]
	p.AllowRollback = true
	back := must(r, r.push, must(r, r.decrypt, must(r, r.download, p)))
	require.Equal(t, first, r.tip(), "the operator said so")
	require.Contains(t, back.Summary, "allow_rollback was used")
	require.Less(t, r.remembered(), remembered, "the replay guard went back along with the branch")

	r.produce()
	p = r.planPushes().Moves[0]
	p.AllowRollback = true
	forth := must(r, r.push, must(r, r.decrypt, must(r, r.download, p)))
	require.Equal(t, second, r.tip())
	require.NotContains(t, forth.Summary, "allow_rollback", "it was not needed")
	r.reset(first)
	uploaded := r.produce()[0]
	require.NotEqual(t, snapshot.Key, uploaded.Key)
	r.consume()
	require.Equal(t, first, r.tip(), "the source was reset")

	require.Len(t, r.ownRefs(), 2, "one replay guard for one branch, and one note")
}

// Someone who pushes to the destination is put right, and that is no replay.
func TestMirrorIsPutBack(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	tip := r.commit("one")
	r.produce()
	r.consume()
	theirs, err := r.destination.Commit(t.Context(), destinationRepo, r.sync.Destination.Branch, map[string]string{"x": "x"}, "theirs")
	require.NoError(t, err)
	require.Equal(t, theirs, r.consume()[0].Old)
	require.Equal(t, tip, r.tip())
}

func TestFastForwardPolicy(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.consumer.FastForwardOnly = true
	first := r.commit(random(20_000))
	r.arrives(first)
	second := r.commit("two")
	_, pushed := r.arrives(second)
	require.Equal(t, first, pushed.Old)
	require.Len(t, r.ownRefs(), 2, "what came ahead of the branch is gone")

	theirs, err := r.destination.Commit(t.Context(), destinationRepo, r.sync.Destination.Branch, map[string]string{"x": "x"}, "theirs")
	require.NoError(t, err)
	refused := func(commit string) {
		t.Helper()
		text := fails(r, "NotFastForward", r.push, must(r, r.decrypt, r.received()))
		require.Contains(t, text, theirs)
		require.Contains(t, text, commit)
		require.Equal(t, theirs, r.tip())
	}
	refused(second)
	third := r.commit("three")
	r.produce()
	refused(third)
	require.Len(t, r.ownRefs(), 2, "what was refused leaves nothing behind")

	r.at(first)
	r.consume()
	require.Equal(t, third, r.tip(), "two updates behind, but an ancestor")
	require.Len(t, r.ownRefs(), 2)
}

// With this policy all packs come ahead of the branch, which then moves by itself. What is there is not sent again.
func TestFastForwardIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.consumer.FastForwardOnly = true
	var cut interrupt
	r.destination, r.consumer.Destination = r.git(destinationRepo, gitserver.WithMiddleware(cut.wrap))
	r.arrives(r.commit(random(60_000)))
	r.commit(random(6_000))
	r.produce()
	tip := r.commit("three")
	r.produce()
	decrypted := must(r, r.decrypt, r.received())
	require.Len(t, decrypted.Bundles, 2)

	values := r.watch()
	cut.at.Store(cut.pushes.Load() + 3) // two packs, then the branch
	_, err := execute(r, r.push, decrypted)
	require.Error(t, err)
	require.Empty(t, values())
	require.Len(t, r.ownRefs(), 3)
	pushes := cut.pushes.Load()

	pushed := must(r, r.push, decrypted)
	require.Equal(t, []string{tip}, values())
	require.Zero(t, pushed.Size, "no pack is sent")
	require.Equal(t, pushes+1, cut.pushes.Load())
	require.Len(t, r.ownRefs(), 2)
}

func TestAllowedDestinations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tip := r.commit("one")
	r.produce()
	p := r.planPushes().Moves[0]
	decrypted := must(r, r.decrypt, must(r, r.download, p))
	var err error
	r.consumer.Allow, err = project.ParseAllowlist("web/*")
	require.NoError(t, err)
	planned := r.planPushes()
	require.Empty(t, planned.Moves)
	require.Equal(t, plan.KindNotAllowed, planned.Failed[0].Kind)
	fails(r, plan.KindNotAllowed, r.download, p) // as when started by hand
	fails(r, plan.KindNotAllowed, r.push, decrypted)

	r.consumer.Allow, err = project.ParseAllowlist("mirror/platform/*")
	require.NoError(t, err)
	r.consume()
	require.Equal(t, tip, r.tip())
}

// A producer encrypts to the old and the new key, or for several environments, at once.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	old := r.consumer.Identities
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	r.producer.Recipients = append(r.producer.Recipients, id.Recipient())
	r.commit("one")
	r.produce()
	d := r.received()
	for _, identities := range [][]age.Identity{old, {id}, append(old, id)} {
		r.consumer.Identities = identities
		must(r, r.decrypt, d)
	}
	other, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	r.consumer.Identities = []age.Identity{other}
	fails(r, "WrongKey", r.decrypt, d)
}

func TestPostQuantumKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	r.producer.Recipients, r.consumer.Identities = []age.Recipient{id.Recipient()}, []age.Identity{id}
	tip := r.commit("one")
	r.produce()
	r.consume()
	require.Equal(t, tip, r.tip())
}

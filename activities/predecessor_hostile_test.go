package activities

import (
	"bytes"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/testserver/oldproducer"
)

// With keys to verify, no switch makes the consumer read what nobody has signed: not even one that its own configuration refuses.
func TestSignaturesForbidPredecessorsObjects(t *testing.T) {
	t.Parallel()
	_, trusted := signingKey(t)
	for name, verifier := range map[string]sign.Verifier{"keys": trusted, "nobody has said": {}} {
		for _, form := range forms {
			r := newRig(t)
			r.consumer.ReadPredecessor, r.consumer.Verifier = true, verifier
			r.commit("one")
			r.predecessor(form)
			kind, text := r.refused()
			require.Equal(t, plan.KindPredecessorObject, kind, "%s: %s", name, text)
		}
	}
}

// An archive of the predecessor is for no environment: where there is one, it is refused like any that names none.
func TestEnvironmentsForbidPredecessorsObjects(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.consumer.ReadPredecessor = true
	r.commit("one")
	r.predecessor(oldproducer.Form{})
	r.consumer.Environment = archive.Environment{}
	kind, _ := r.refused()
	require.Equal(t, "WrongEnvironment", kind)
}

func TestGuardsHoldForPredecessorsObjects(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.consumer.ReadPredecessor = true
	first := r.commit("one")
	r.predecessor(oldproducer.Form{})
	none, err := project.ParseAllowlist("other/*")
	require.NoError(t, err)
	allowed := r.planPushes().Moves[0]
	r.consumer.Allow = none
	require.Equal(t, "NotAllowed", r.planPushes().Failed[0].Kind)
	fails(r, "NotAllowed", r.download, allowed)

	r.consumer.Allow, r.consumer.FastForwardOnly = project.AllowAll(), true
	other, err := r.destination.Commit(t.Context(), destinationRepo, r.sync.Destination.Branch, map[string]string{"x": "x"}, "theirs")
	require.NoError(t, err)
	decrypted := must(r, r.decrypt, r.received())
	fails(r, "NotFastForward", r.push, decrypted)
	require.Equal(t, other, r.tip())
	require.Empty(t, r.ownRefs())
	r.consumer.FastForwardOnly = false
	require.Equal(t, other, r.arriveAt(first).Old)
}

// What the archive has counts, not what the key says of it. The note tells the next plans, until somebody moves the branch.
func TestKeysOfThePredecessorMayLie(t *testing.T) {
	t.Parallel()
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.consumer.ReadPredecessor = true
			first := r.commit("one")
			second := r.commit("two")
			o := r.predecessor(form)
			require.NoError(t, r.producer.Bucket.Delete(t.Context(), o.Key))
			lie, err := form.Key(r.sync.Destination, strings.Repeat("1", 40), r.sync.Source.Branch)
			require.NoError(t, err)
			r.put(lie, o.Body)

			r.arriveAt(second)
			require.Len(t, r.ownRefs(), 1)
			r.at(first)
			r.arriveAt(second)
			require.Len(t, r.ownRefs(), 1)

			awaitNextSecond()
			r.put(lie, o.Body) // another upload
			r.at(first)
			r.arriveAt(second)
			require.Len(t, r.ownRefs(), 1, "the note of the object before is gone")

			third := r.commit("three")
			r.produce()
			r.arriveAt(third)
		})
	}
}

func TestHostileObjectsOfThePredecessor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.consumer.ReadPredecessor = true
	first := r.commit("one")
	form := oldproducer.Form{}
	o := r.predecessor(form)
	stranger, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	zipped, err := oldproducer.Zip([]byte("not a tar"))
	require.NoError(t, err)
	seal := func(content []byte, to age.Recipient) []byte {
		body, err := oldproducer.Form{PlainTar: true}.Seal(content, to)
		require.NoError(t, err)
		return body
	}
	flipped := bytes.Clone(o.Body)
	flipped[len(flipped)-1] ^= 1
	for name, tt := range map[string]struct {
		body []byte
		kind string
	}{
		"not age":           {[]byte("hello"), "ForeignObject"},
		"empty":             {nil, "ForeignObject"},
		"another's key":     {seal([]byte("x"), stranger.Recipient()), "WrongKey"},
		"cut off":           {o.Body[:len(o.Body)-1], "CorruptObject"},
		"flipped":           {flipped, "CorruptObject"},
		"not an archive":    {seal(zipped, r.recipient()), "MalformedObject"},
		"nothing in it":     {seal(nil, r.recipient()), "MalformedObject"},
		"longer than it is": {seal(append(bytes.Clone(zipped), make([]byte, 300_000)...), r.recipient()), "MalformedObject"},
	} {
		r.put(o.Key, tt.body)
		kind, text := r.refused()
		require.Equal(t, tt.kind, kind, "%s: %s", name, text)
	}
	r.put(o.Key, o.Body)
	r.arriveAt(first)
}

// An object of ours does not pass for one of the predecessor's, which nobody has to have signed, nor the other way round.
func TestKeysAndBodiesOfTheTwo(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	ours := r.produce()[0]
	var body bytes.Buffer
	require.NoError(t, r.consumer.Bucket.Download(t.Context(), ours.Key, "", ours.Size, &body))
	key, err := oldproducer.Form{}.Key(r.sync.Destination, ours.ID.Commit, "main")
	require.NoError(t, err)
	awaitNextSecond()
	r.put(key, body.Bytes())
	kind, _ := r.refused()
	require.Equal(t, plan.KindPredecessorObject, kind)
	r.consumer.Verifier, r.consumer.ReadPredecessor = sign.Unverified(), true
	kind, _ = r.refused()
	require.Equal(t, "MalformedObject", kind)
}

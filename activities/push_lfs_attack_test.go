package activities

import (
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// Of what is not the object that the signed list has, no byte goes to the destination, and what cannot be the object by its
// size is not even read. Once the object is right again, the same run goes on.
func TestLFSObjectsThatAreNotTheirs(t *testing.T) {
	t.Parallel()
	content := random(40_000)
	for name, test := range map[string]struct {
		put        func(r *pushLFSRig, o lfs.Object)
		kind, text string
	}{
		"altered": {func(r *pushLFSRig, o lfs.Object) {
			sealed := r.seal([]byte(content))
			sealed[len(sealed)-5000] ^= 1
			r.put(r.segment(o), sealed)
		}, "LFSObjectInvalid", "corrupt age file"},
		"another of the same size": {func(r *pushLFSRig, o lfs.Object) { r.put(r.segment(o), r.seal([]byte(random(40_000)))) }, "LFSObjectInvalid", "80000 bytes with the SHA-256"},
		"one byte less":            {func(r *pushLFSRig, o lfs.Object) { r.put(r.segment(o), r.seal([]byte(content[1:]))) }, "LFSObjectInvalid", "it has not the 80000 bytes of the segment"},
		"one byte more":            {func(r *pushLFSRig, o lfs.Object) { r.put(r.segment(o), r.seal([]byte(content+"x"))) }, "LFSObjectInvalid", "it has not the 80000 bytes of the segment"},
		"cut off a little": {func(r *pushLFSRig, o lfs.Object) {
			sealed := r.seal([]byte(content))
			r.put(r.segment(o), sealed[:len(sealed)-50])
		}, "LFSObjectInvalid", "corrupt age file"},
		"cut off": {func(r *pushLFSRig, o lfs.Object) {
			sealed := r.seal([]byte(content))
			r.put(r.segment(o), sealed[:len(sealed)/2])
		}, "LFSObjectInvalid", "as no encrypted segment of 80000 can have"},
		"huge": {func(r *pushLFSRig, o lfs.Object) {
			r.put(r.segment(o), r.seal([]byte(content+strings.Repeat("x", 300_000))))
		}, "LFSObjectInvalid", "as no encrypted segment of 80000 can have"},
		"not encrypted":  {func(r *pushLFSRig, o lfs.Object) { r.put(r.segment(o), []byte(content+strings.Repeat("x", 200))) }, "LFSObjectInvalid", "not an age file"},
		"to another key": {func(r *pushLFSRig, o lfs.Object) { r.put(r.segment(o), r.sealTo(content)) }, "WrongKey", "no identity matches"},
		"deleted":        {func(*pushLFSRig, lfs.Object) {}, "LFSObjectMissing", "no such object"},
		"under a segment": {func(r *pushLFSRig, o lfs.Object) {
			r.put(strings.Replace(r.segment(o), "/1.age", "/2.age", 1), r.seal([]byte(content)))
		}, "LFSObjectMissing", "/1.age"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newPushLFSRig(t)
			o := lfsObject(content)
			good := r.store("good")[0]
			tip := r.commitPointers(o, good)
			r.produceWith(lfs.NewList([]lfs.Object{o, good}))
			test.put(r, o)
			d := r.decrypted()
			text := r.failsLFS(test.kind, d)
			require.Contains(t, text, test.text)
			require.Contains(t, text, "LFS object "+o.OID)
			require.Contains(t, text, r.segment(o)[:len(r.segment(o))-len("1.age")], "which is to be deleted")
			r.requireHas([]lfs.Object{o}, false)
			require.LessOrEqual(t, r.lfs.Counts().Uploads, 1, "of the other")

			r.store(content)
			must(r.rig, r.push, must(r.rig, r.pushLFS, d))
			require.Equal(t, content, r.contentThere(o))
			require.Equal(t, tip, r.tip())
		})
	}
}

// sealTo encrypts for somebody else.
func (r *pushLFSRig) sealTo(content string) []byte {
	r.Helper()
	other, err := age.GenerateX25519Identity()
	require.NoError(r, err)
	ours := r.producer.Recipients
	defer func() { r.producer.Recipients = ours }()
	r.producer.Recipients = []age.Recipient{other.Recipient()}
	return r.seal([]byte(content))
}

// The list that the step reads is the one that was signed.
func TestAlteredLFSListIsNotPushed(t *testing.T) {
	t.Parallel()
	r := newPushLFSRig(t)
	objects := r.store("one", "two")
	r.commitPointers(objects[0])
	r.produceWith(lfs.NewList(objects[:1]))
	d := r.decrypted()
	run, err := r.consumer.Staging.Run(d.Staged.Run)
	require.NoError(t, err)
	require.NoError(t, stageText(run, numbered(lfsFile, 0), lfs.NewList(objects[1:]).Encode()))
	require.Contains(t, r.failsLFS("AlteredFile", d), "00-lfs")
	require.Zero(t, r.lfs.Counts())
}

// What Push refuses before it sends a pack does not fill the destination's LFS storage either: nothing is even asked there.
func TestNoLFSForWhatIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		arrange func(r *pushLFSRig) consuming
		kind    string
	}{
		"not allowed": {func(r *pushLFSRig) consuming {
			d := r.decryptedNew("one")
			var err error
			r.consumer.Allow, err = project.ParseAllowlist("other/*")
			require.NoError(r, err)
			return d
		}, "NotAllowed"},
		"from the future": {func(r *pushLFSRig) consuming {
			d := r.decryptedNew("one")
			r.consumer.Clock = func() time.Time { return time.Now().Add(-48 * time.Hour) }
			return d
		}, "FutureObject"},
		"replayed": {func(r *pushLFSRig) consuming {
			r.arrivesWith("one")
			newer := r.arrivesWith("two")
			for _, oid := range []string{lfsObject("one").OID, lfsObject("two").OID} {
				r.lose(oid)
			}
			require.NoError(r, r.producer.Bucket.Delete(r.Context(), newer.Key))
			r.withoutCatalog()
			return r.decrypted()
		}, "Replayed"},
		"overtaken": {func(r *pushLFSRig) consuming {
			d := r.decryptedNew("one")
			r.arrivesWith("two")
			r.lose(lfsObject("one").OID)
			return d
		}, "TipMoved"},
		"tag that moves": {func(r *pushLFSRig) consuming {
			r.sync.Source.Branch, r.sync.Destination.Branch = "refs/tags/v1", "refs/tags/v1"
			r.configure(r.sync)
			r.producer.syncCache.syncs = nil
			r.annotate(r.commitOn("main", "one"), "a tag")
			r.produceWith(lfs.NewList(r.store("one")))
			r.consume()
			r.annotate(r.commitOn("main", "two"), "another")
			r.produceWith(lfs.NewList(r.store("two")))
			r.consumer.FastForwardOnly = true
			return r.decrypted()
		}, "NotFastForward"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newPushLFSRig(t)
			d := test.arrange(r)
			before := r.lfs.Counts()
			r.failsLFS(test.kind, d)
			require.Equal(t, before, r.lfs.Counts())
		})
	}
}

// An operator who wants the older object wants its LFS objects, too.
func TestRollbackBringsLFSObjects(t *testing.T) {
	t.Parallel()
	r := newPushLFSRig(t)
	r.arrivesWith("one")
	newer := r.arrivesWith("two")
	r.lose(lfsObject("one").OID)
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), newer.Key))
	r.withoutCatalog()
	p := r.planPushes().Moves[0]
	p.AllowRollback = true
	back := must(r.rig, r.push, must(r.rig, r.pushLFS, must(r.rig, r.rig.decrypt, must(r.rig, r.download, p))))
	require.Contains(t, back.Summary, "allow_rollback was used")
	require.Equal(t, "one", r.contentThere(lfsObject("one")))
}

// decryptedNew uploads a new commit that needs an LFS object with this content, and decrypts it.
func (r *pushLFSRig) decryptedNew(content string) consuming {
	r.Helper()
	objects := r.store(content)
	r.commitPointers(objects...)
	r.produceWith(lfs.NewList(objects))
	return r.decrypted()
}

// arrivesWith has a new commit arrive that needs an LFS object with this content.
func (r *pushLFSRig) arrivesWith(content string) Uploaded {
	r.Helper()
	objects := r.store(content)
	r.commitPointers(objects...)
	uploaded := r.produceWith(lfs.NewList(objects))
	r.consume()
	r.requireHas(objects, true)
	return uploaded
}

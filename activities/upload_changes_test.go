package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

// uploadChanges are what a dry run of the producer would say of the set.
func (r *rig) uploadChanges() []string {
	r.Helper()
	changes, err := r.producer.uploadChanges(r.Context(), r.sync, r.chain())
	require.NoError(r, err)
	return changes.Describe(true)
}

// A dry run tells what has become of the source's refs since the newest object, also where the next one would build on less.
func TestUploadChanges(t *testing.T) {
	t.Parallel()
	r := newSetRig(t, "refs/*", "refs/*")
	first := plan.Short(r.commitOn("main", "first"))
	r.refAtSource("refs/heads/old", r.objectAtSource("main"))
	r.refAtSource("refs/merge-requests/1/head", r.objectAtSource("main"))
	require.Equal(t, []string{"refs: 2 to create", "create refs/heads/main at " + first, "create refs/heads/old at " + first}, r.uploadChanges())

	r.produceSet()
	require.Equal(t, []string{"refs: none would change"}, r.uploadChanges())
	second := plan.Short(r.commitOn("main", "second"))
	r.atSource("update-ref", "-d", "refs/heads/old")
	r.refAtSource("refs/tags/v1", r.objectAtSource("main"))
	require.Equal(t, []string{
		"refs: 1 to create, 1 to move, 1 to delete",
		"delete refs/heads/old, at " + first, "move refs/heads/main from " + first + " to " + second, "create refs/tags/v1 at " + second,
	}, r.uploadChanges())
	r.produceSet()
	require.Equal(t, []string{"refs: none would change"}, r.uploadChanges())
}

// What the bucket has is not known for certain: then all refs of the source are named, and why no more is told.
func TestUploadChangesThatAreNotKnown(t *testing.T) {
	t.Parallel()
	const unknown = "refs: 1 to upload; which of them have changed is not known: "
	r := newSetRig(t, "refs/heads/*", "refs/heads/*")
	at := plan.Short(r.commitOn("main", "first"))
	uploaded := r.produceSet()
	signer := r.producer.Signer

	r.producer.Signer = sign.Unsigned()
	require.Equal(t, []string{unknown + errNoSelfKey.Error(), "upload refs/heads/main at " + at}, r.uploadChanges())

	r.producer.Signer = signer
	r.replace(uploaded.Key, []byte("forged"))
	require.Contains(t, r.uploadChanges()[0], unknown+"object "+uploaded.Key+": ")

	changes, err := r.producer.uploadChanges(t.Context(), r.sync, chain.Chain{MissingBase: "gone"})
	require.NoError(t, err)
	require.Equal(t, unknown+errBrokenSet.Error(), changes.Describe(true)[0])

	r.atSource("update-ref", "-d", "refs/heads/main")
	_, err = r.producer.uploadChanges(t.Context(), r.sync, r.chain())
	require.ErrorIs(t, err, ErrNoBranch)
}

package activities

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/staging"
)

// What is not as Clone has left it does not get into an object that says that it has something else.
func TestAlteredCloneStartsOver(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	tip := r.commit("one")
	p := must(r, r.pack, must(r, r.clone, must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]))
	run, err := r.producer.Staging.Run(p.Staged.Run)
	require.NoError(t, err)
	good, err := stagedText(run, bundleFile)
	require.NoError(t, err)
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	for name, altered := range map[string][]byte{"as large": flipped, "longer": append(bytes.Clone(good), 0), "cut": good[:len(good)-1], "empty": {}} {
		require.NoError(t, stageText(run, bundleFile, altered))
		fails(r, KindStagedFileMissing, r.encrypt, p)
		require.ErrorIs(t, run.Has(objectFile), staging.ErrMissing, name)
	}
	require.NoError(t, run.Discard(bundleFile))
	fails(r, KindStagedFileMissing, r.pack, p)
	fails(r, KindStagedFileMissing, r.encrypt, p)
	require.NoError(t, stageText(run, bundleFile, good))
	must(r, r.upload, must(r, r.encrypt, must(r, r.encrypt, p)))
	require.Equal(t, []string{objectFile}, r.stagedNames(), "nobody needs what it was made of")
	r.publish()
	r.consume()
	require.Equal(t, tip, r.tip())
}

// The archive that a worker of a release before has left as a whole is taken as it is.
func TestWholeArchiveIsEncrypted(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	tip := r.commit("one")
	p := must(r, r.pack, must(r, r.clone, must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]))
	run, err := r.producer.Staging.Run(p.Staged.Run)
	require.NoError(t, err)
	staged, err := openArchive(run)
	require.NoError(t, err)
	defer staged.close()
	require.NoError(t, run.Create(archiveFile, func(f *os.File) error { return staged.write(f) }))
	require.NoError(t, run.Discard(headFile))
	p = must(r, r.encrypt, p)
	require.ErrorIs(t, run.Has(bundleFile), staging.ErrMissing, "there is no room for a third copy")
	must(r, r.upload, p)
	r.publish()
	r.consume()
	require.Equal(t, tip, r.tip())
}

// An attempt that was given up may go on beside the next one on the same worker. Neither has the other's files.
func TestAttemptsHaveFilesOfTheirOwn(t *testing.T) {
	t.Parallel()
	r := newSetRig(t, "refs/*", "refs/*")
	tip := r.commitOn("main", "one")
	cloned := must(r, r.clone, r.setUpload())
	r.atSource("update-ref", "refs/tags/v1", tip)
	must(r, r.clone, r.setUpload())
	uploaded := r.complete(cloned)

	downloaded := must(r, r.download, must(r, r.consumer.PlanPushes, PlanRequest{}).Moves[0])
	next := r.produceSet()
	must(r, r.download, must(r, r.consumer.PlanPushes, PlanRequest{}).Moves[0])
	must(r, r.push, must(r, r.decrypt, downloaded))
	to, err := r.consumer.readDestination(t.Context(), r.sync.Destination)
	require.NoError(t, err)
	require.Equal(t, uploaded.ID.Commit, to.tip)
	require.NotEqual(t, next.ID.Commit, to.tip)
}

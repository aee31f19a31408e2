package activities

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is not as Clone has left it does not get into an object that says that it has something else.
func TestAlteredCloneStartsOver(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	p := must(r, r.clone, must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0])
	run, err := r.producer.Staging.Run(p.Staged.Run)
	require.NoError(t, err)
	bundle, err := stagedText(run, bundleFile)
	require.NoError(t, err)
	bundle[len(bundle)-1] ^= 1 // as large
	require.NoError(t, run.Create(bundleFile, func(f *os.File) error {
		_, err := f.Write(bundle)
		return err
	}))
	fails(r, KindStagedFileMissing, r.pack, p)
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

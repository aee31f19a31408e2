package activities

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/oldproducer"
)

// What was made for one ref does not become another, however the bucket's keys are set.
func TestTagsObjectsAreForTheTag(t *testing.T) {
	t.Parallel()
	r := newTagRig(t, newTrustedRig)
	branch := r.sync
	branch.Source.Branch, branch.Destination.Branch = "main", "released/v1"
	other := r.sync
	other.Destination.Branch = "refs/tags/v2"
	r.configure(r.sync, branch)
	tip := r.commitOn("main", "one")
	r.reset(tip)
	content := map[project.Branch][]byte{}
	for _, u := range r.produce() {
		content[u.ID.Destination] = r.content(u.Key)
		require.NoError(t, r.producer.Bucket.Delete(t.Context(), u.Key))
	}
	r.withoutCatalog()
	for _, swap := range [][2]project.Branch{
		{branch.Destination, r.sync.Destination}, {r.sync.Destination, branch.Destination}, {r.sync.Destination, other.Destination},
	} {
		key, err := object.ID{Destination: swap[1], Commit: tip}.Key()
		require.NoError(t, err)
		r.put(key, content[swap[0]])
		fails(r, "ObjectMismatch", r.decrypt, r.received())
		require.NoError(t, r.producer.Bucket.Delete(t.Context(), key))
	}
}

// A bundle is refused whose header is of anything but the tag, be it signed.
func TestTagsBundleHasTheTagOnly(t *testing.T) {
	t.Parallel()
	r := newTagRig(t, newTrustedRig)
	tip := r.commitOn("main", "one")
	r.reset(tip)
	r.arrives(tip)
	second := r.commitOn("main", "two")
	r.reset(second)
	good := must(r, r.clone, must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0])
	run, err := r.producer.Staging.Run(good.Staged.Run)
	require.NoError(t, err)
	file, err := run.Open(bundleFile)
	require.NoError(t, err)
	content, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	pack := content[bytes.Index(content, []byte("PACK")):]
	arrives := func(header string) (consuming, Uploaded) {
		bad := good
		text := append([]byte("# v2 git bundle\n"+header+"\n"), pack...)
		sum := sha256.Sum256(text)
		bad.Bundle.Size, bad.Bundle.SHA256 = int64(len(text)), hex.EncodeToString(sum[:])
		require.NoError(t, run.Create(bundleFile, func(f *os.File) error {
			_, err := f.Write(text)
			return err
		}))
		uploaded := must(r, r.upload, must(r, r.encrypt, must(r, r.pack, bad)))
		return must(r, r.decrypt, r.received()), uploaded
	}
	for header, kind := range map[string]string{
		second + " refs/tags/v2\n":                                   "ObjectMismatch",
		second + " refs/heads/released/v1\n":                         "ObjectMismatch",
		second + " HEAD\n" + second + " refs/heads/main\n":           "ObjectMismatch",
		tip + " refs/tags/released/v1\n":                             "ObjectMismatch",
		second + " refs/heads/refs/tags/released/v1\n":               "MalformedObject",
		"-" + tip + " \n" + second + " refs/tags/released/v1\n":      "MalformedObject",
		second + " HEAD\n" + second + " refs/tags/released/v1\n":     "MalformedObject",
		second + " refs/tags/released/v1\n" + tip + " refs/tags/x\n": "MalformedObject",
		second + " refs/git-partition-sync/applied/x\n":              "MalformedObject",
	} {
		d, uploaded := arrives(header)
		fails(r, kind, r.push, d)
		require.Equal(t, tip, r.tip(), header)
		require.NoError(t, r.producer.Bucket.Delete(t.Context(), uploaded.Key))
	}
	d, _ := arrives(second + " refs/tags/released/v1\n")
	must(r, r.push, d)
	require.Equal(t, second, r.tip())
}

// The predecessor knows branches only: an archive of it is no tag, even where its objects are read and its key is like one of ours.
func TestPredecessorsArchiveIsNoTag(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]oldproducer.Form{"first": {BranchKey: true}, "first, plain": {BranchKey: true, PlainTar: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTagRig(t, newRig)
			r.consumer.ReadPredecessor = true
			r.commitOn(r.sync.Destination.Branch, "one") // a branch below refs/heads/refs/tags/
			o, err := oldproducer.Make(t.Context(), form, r.source.Dir(sourceRepo), r.sync.Destination.Branch, r.sync.Destination, r.recipient())
			require.NoError(t, err)
			r.put(o.Key, o.Body)
			fails(r, "MalformedObject", r.decrypt, r.received())
			require.Empty(t, r.refs())
		})
	}
}

package activities

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// LFS objects are in the bucket before the commits that need them, each once, and the signed manifest says which these are.
func TestLFSObjectsAreUploaded(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	one, two, empty := r.large("one"), r.large("the second"), r.large("")
	r.commitLFS("main", map[string]string{"readme": "none of them"}, one, two, empty)
	uploaded := r.produce()
	require.Len(t, uploaded, 1)
	require.Contains(t, uploaded[0].Summary, "; 3 LFS objects, 13 B")
	require.Equal(t, map[string]string{one.OID: "one", two.OID: "the second", empty.OID: ""}, r.heldLFS())
	require.Equal(t, lfs.NewList([]lfs.Object{one, two, empty}), r.listOf(uploaded[0].Key))
	manifest, _ := r.manifest(uploaded[0].Key)
	require.Equal(t, 3, manifest.FormatVersion)
	require.Equal(t, catalog.Object{LFSObjects: 3, LFSSize: 13}, r.cataloguedLFS())
	require.Contains(t, r.planPushes().Moves[0].Reason, ", which needs 3 LFS objects, 13 B")
	require.Equal(t, []string{objectFile}, r.stagedNames())

	three := r.large("three")
	r.commitLFS("main", nil, two, three) // one of them as it was
	uploaded = r.produce()
	require.NotEmpty(t, uploaded[0].ID.Base)
	require.Contains(t, uploaded[0].Summary, "; 1 LFS object, 5 B")
	require.Equal(t, lfs.NewList([]lfs.Object{three}), r.listOf(uploaded[0].Key))
	require.Equal(t, 3, r.source.LFS().Counts().Downloads, "of the empty one there is nothing to fetch")

	r.commit("no large file")
	uploaded = r.produce()
	require.Empty(t, uploaded[0].ID.Base)
	require.Contains(t, uploaded[0].Summary, "; 4 LFS objects, 18 B, 4 were there already")
	require.Equal(t, catalog.Object{LFSObjects: 4, LFSSize: 18}, r.cataloguedLFS())
}

// Where nothing needs an LFS object, objects are as they were without LFS.
func TestObjectsWithoutLFSObjects(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	tip := r.commit("no large file")
	uploaded := r.produce()
	require.NotContains(t, uploaded[0].Summary, "LFS")
	manifest, _ := r.manifest(uploaded[0].Key)
	require.Equal(t, 1, manifest.FormatVersion, "older consumers read it")
	require.Zero(t, r.cataloguedLFS())
	require.Zero(t, r.source.LFS().Counts().Batches, "the source was not even asked whether it has LFS")
	r.consume()
	require.Equal(t, tip, r.tip())
}

// cataloguedLFS is what the catalog says of the LFS objects of the sync's newest object.
func (r *rig) cataloguedLFS() (said catalog.Object) {
	r.Helper()
	last, err := r.producer.readCatalog(r.Context())
	require.NoError(r, err)
	s, ok := last.Sync(r.sync.Destination)
	require.True(r, ok)
	said.LFSObjects, said.LFSSize = s.Object.LFSObjects, s.Object.LFSSize
	return said
}

// lfsUploads plans and clones, and finds the LFS objects: UploadLFS is next.
func (r *rig) lfsUploads(u plan.Upload) producing {
	r.Helper()
	p := must(r, r.clone, u)
	require.True(r, p.LFS)
	require.Positive(r, must(r, r.findLFS, p).Objects)
	return p
}

// nextLFS is lfsUploads of what the producer plans.
func (r *rig) nextLFS() producing {
	r.Helper()
	return r.lfsUploads(must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0])
}

// What the source does not have, or has something else for, is said, and holds nothing up.
func TestLFSObjectsThatTheSourceLacks(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	has, lacks, altered := r.large("has"), r.lacking("lacks"), r.large("altered")
	require.NoError(t, os.WriteFile(r.source.LFS().Path(sourceRepo, altered.OID), []byte("ALTERED"), 0o600))
	otherSize := lfs.Object{OID: has.OID, Size: 1 << 49}
	r.commitLFS("main", map[string]string{"other": gitserver.Pointer(otherSize)}, has, lacks, altered)
	p := r.nextLFS()
	sent := must(r, r.sendLFS, p).SentLFS
	want := []string{lacks.OID, altered.OID + " (the source has something else)", has.OID + " (the source refuses it)"}
	slices.Sort(want)
	require.Equal(t, want, sent.MissingNames)
	require.Equal(t, UploadedLFS{MovedLFS: MovedLFS{Sent: 1, Missing: 3, Size: 3, MissingNames: want}, ListSize: sent.ListSize, ListSHA256: sent.ListSHA256}, sent)
	require.Equal(t, map[string]string{has.OID: "has"}, r.heldLFS())

	r.large("lacks") // the source has it by now
	sent = must(r, r.sendLFS, p).SentLFS
	require.Equal(t, []int{1, 1, 2}, []int{sent.Sent, sent.There, sent.Missing})
	list := lfs.NewList([]lfs.Object{has, otherSize, lacks, altered})
	for i := range list {
		list[i].Missing = list[i].Object != has && list[i].Object != lacks
	}
	var bound archive.Bundle
	bound.BindLFS(list.Encode())
	require.Equal(t, bound.LFSSHA256, sent.ListSHA256, "what an attempt before did not get is not noted for good")
	want = slices.DeleteFunc(want, func(name string) bool { return name == lacks.OID })
	uploaded := r.produce()
	require.Contains(t, uploaded[0].Summary, "; 4 LFS objects, 8 B, 2 were there already, 2 missing at the source: "+strings.Join(want, ", "))
	require.Equal(t, list, r.listOf(uploaded[0].Key))
}

// An LFS server that fails is no source without LFS objects: nothing is uploaded without them.
func TestLFSServerFails(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	r.commitLFS("main", nil, r.large("one"))
	u := must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]
	p := r.lfsUploads(u)
	for status, kind := range map[int]string{401: "GitAuthFailed", 403: "GitForbidden"} {
		r.source.LFS().Switch(func(s *gitserver.LFSSwitches) { s.BatchStatus = status })
		r.producer.LFS = r.sourceLFS()
		require.True(t, must(r, r.clone, u).LFS)
		require.Contains(t, fails(r, kind, r.sendLFS, p), "source platform/router@main: ")
	}
	r.source.LFS().Switch(func(s *gitserver.LFSSwitches) { s.BatchStatus = 500 })
	r.producer.LFS = r.sourceLFS()
	require.True(t, must(r, r.clone, u).LFS)
	_, err := execute(r, r.sendLFS, p)
	require.ErrorContains(t, err, "GitServerFailed")
	r.source.LFS().Switch(func(s *gitserver.LFSSwitches) { s.BatchStatus, s.DownloadStatus = 0, 403 })
	_, err = execute(r, r.sendLFS, p)
	require.ErrorContains(t, err, "LFS object ")
	require.Empty(t, r.heldLFS())

	r.source.LFS().Switch(func(s *gitserver.LFSSwitches) { s.DownloadStatus = 0 })
	must(r, r.sendLFS, p)
	r.source.LFS().Switch(func(s *gitserver.LFSSwitches) { s.Disabled = true })
	r.producer.LFS = r.sourceLFS()
	require.True(t, must(r, r.clone, u).LFS, "the bucket has some of the project")
	r.producer.LFS = nil
	require.False(t, must(r, r.clone, u).LFS)
}

// A server that starts or fails may say that it has no LFS, as one does that has none. Commits do not go without their files.
func TestLFSServerSaysForAWhileThatItHasNone(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	r.producer.LFS = r.sourceLFS()
	first, second := r.large("one"), r.large("two")
	r.commitLFS("main", nil, first)
	r.source.LFS().Switch(func(s *gitserver.LFSSwitches) { s.BatchStatus, s.Failures = 404, 1 }) // until the pack has been sent
	require.Equal(t, lfs.NewList([]lfs.Object{first}), r.listOf(r.produce()[0].Key))

	r.commitLFS("main", nil, first, second)
	r.producer.LFS = r.sourceLFS() // as after a worker's start
	r.source.LFS().Switch(func(s *gitserver.LFSSwitches) { s.BatchStatus, s.Failures = 404, 0 })
	p := r.lfsUploads(must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0])
	require.Contains(t, fails(r, "LFSNotEnabled", r.sendLFS, p), "source platform/router@main: ")
	r.source.LFS().Switch(func(s *gitserver.LFSSwitches) { s.BatchStatus = 0 })
	require.Equal(t, lfs.NewList([]lfs.Object{second}), r.listOf(r.produce()[0].Key))
	require.Len(t, r.heldLFS(), 2)
}

// A branch that needs what another one has brought does not bring it again, also when both are uploaded at once.
func TestLFSObjectOfTwoBranches(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	shared := r.large(strings.Repeat("shared", 10_000))
	second := r.sync
	second.Source.Branch, second.Destination.Branch = "second", "second"
	r.producer.Syncs = &listed{syncs: []project.Sync{r.sync, second}}
	r.commitLFS("main", map[string]string{"a": "1"}, shared)
	r.commitLFS("second", map[string]string{"b": "2"}, shared)
	uploads := must(r, r.producer.PlanUploads, PlanRequest{}).Moves
	require.Len(t, uploads, 2)
	var runs []producing
	for _, u := range uploads {
		p := r.lfsUploads(u)
		p.Work.Staged.Run += u.Sync.Destination.Branch
		require.NoError(t, r.stageLFS(p, shared))
		runs = append(runs, p)
	}
	asked := r.source.LFS().Counts().Batches
	r.lag.before = func(req *http.Request) {
		if req.Method != http.MethodPut {
			return
		}
		for r.source.LFS().Counts().Batches < asked+len(runs) { // the other has found nothing either
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(200 * time.Millisecond) // in which it could begin to fetch what is being sent
	}
	both := make([]UploadedLFS, len(runs))
	var group errgroup.Group
	for i, p := range runs {
		group.Go(func() (err error) { // not as an activity: an environment of the SDK runs one at a time
			both[i], err = r.producer.UploadLFS(t.Context(), p.Work)
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.Equal(t, 1, both[0].Sent+both[1].Sent)
	require.Equal(t, 1, both[0].There+both[1].There)
	require.Equal(t, 1, r.source.LFS().Counts().Downloads)
}

// stageLFS makes the list that FindLFS would leave.
func (r *rig) stageLFS(p producing, objects ...lfs.Object) error {
	r.Helper()
	run, err := r.producer.Staging.Run(p.Work.Staged.Run)
	require.NoError(r, err)
	return stageText(run, lfsFile, lfs.NewList(objects).Encode())
}

// What the bucket has for an LFS object is replaced where it is not what it has to be: encrypted to other keys, or of another
// size.
func TestLFSObjectsAreReplaced(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	one, two := r.large("one"), r.large("two")
	r.commitLFS("main", nil, one, two)
	p := r.nextLFS()
	must(r, r.sendLFS, p)
	require.Equal(t, 2, must(r, r.sendLFS, p).SentLFS.There)

	r.put(r.lfsKey(one), []byte("something else"))
	again := must(r, r.sendLFS, p).SentLFS
	require.Equal(t, []int{1, 1}, []int{again.Sent, again.There})
	require.Equal(t, "one", r.heldLFS()[one.OID])

	other, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	r.producer.Recipients, r.consumer.Identities = []age.Recipient{other.Recipient()}, []age.Identity{other}
	require.Equal(t, 2, must(r, r.sendLFS, p).SentLFS.Sent)
	require.Equal(t, map[string]string{one.OID: "one", two.OID: "two"}, r.heldLFS(), "the new key opens them")

	require.NoError(t, r.producer.Bucket.Delete(t.Context(), r.lfsKey(two)))
	require.Equal(t, 1, must(r, r.sendLFS, p).SentLFS.Sent)
}

// A project has no more of the bucket than it may. Nothing of what is too much is sent.
func TestLFSTooMuch(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	first, second := r.large(strings.Repeat("1", 1000)), r.large(strings.Repeat("2", 1000))
	r.commitLFS("main", nil, first)
	r.producer.MaxLFSProjectSize = 2500
	r.produce()
	r.commitLFS("main", nil, second)
	r.producer.MaxLFSProjectSize = 2000 // what is there is encrypted, and so a little more than 1000
	p := r.nextLFS()
	text := fails(r, "LFSTooMuch", r.sendLFS, p)
	require.Contains(t, text, "mirror/platform/router has 1.2 kB there, and 1 more have 1.0 kB, of 2.0 kB that LFS_MAX_PROJECT_SIZE allows")
	require.NotContains(t, r.heldLFS(), second.OID)
	require.Equal(t, 2, r.source.LFS().Counts().Downloads, "it was begun, for its size")

	require.NoError(t, r.stageLFS(p, first, r.lacking(strings.Repeat("3", 5000))))
	sent := must(r, r.sendLFS, p).SentLFS
	require.Equal(t, []int{1, 1}, []int{sent.There, sent.Missing}, "what the source does not have takes no room")

	r.put(r.lfsKey(first), make([]byte, 1500))
	require.NoError(t, r.stageLFS(p, first))
	require.Equal(t, 1, must(r, r.sendLFS, p).SentLFS.Sent, "what is replaced is not counted twice")
	r.producer.MaxLFSProjectSize = 2500
	require.NoError(t, r.stageLFS(p, second))
	require.Equal(t, 1, must(r, r.sendLFS, p).SentLFS.Sent)
}

// An object that the disk has no room for is said before any of it is on the disk.
func TestLFSObjectWithoutRoom(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	huge := r.large("huge")
	require.NoError(t, os.Truncate(r.source.LFS().Path(sourceRepo, huge.OID), 8<<40))
	huge.Size = 8 << 40
	r.commitLFS("main", nil, huge)
	r.source.LFS().Switch(func(s *gitserver.LFSSwitches) { s.BreakAfter = 1 << 20 }) // without the rule it would fill the disk
	_, err := execute(r, r.sendLFS, r.nextLFS())
	require.ErrorContains(t, err, "LFS object "+huge.OID+" of 8.8 TB: ")
	require.ErrorContains(t, err, "not enough free disk space: 8.8 TB needed")
	require.NotContains(t, err.Error(), r.source.URL(), "the server is not to blame")
}

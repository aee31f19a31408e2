package activities

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// The objects are there before the commits, a strict destination takes these, and nothing crosses twice.
func TestLFSObjectsArriveWithTheirCommits(t *testing.T) {
	t.Parallel()
	r := newPushLFSRig(t)
	require.NoError(t, r.lfs.RefuseMissing(destinationRepo))
	contents := []string{"", "one", random(300_000)}
	objects := r.store(contents...)
	r.commitPointers(objects...)
	r.produceWith(lfs.NewList(objects))

	d := r.decrypted()
	require.Equal(t, 3, d.LFSObjects)
	require.Equal(t, lfs.TotalSize(objects), d.LFSSize)
	r.requireHas(objects, false)
	d = must(r.rig, r.pushLFS, d)
	require.Equal(t, PushedLFS{MovedLFS: MovedLFS{Sent: 3, Size: lfs.TotalSize(objects)}}, *d.LFS)
	for i, o := range objects {
		require.Equal(t, contents[i], r.contentThere(o))
	}
	pushed := must(r.rig, r.push, d)
	require.Regexp(t, `^created at \w{7}, .* B, with 3 LFS objects, 600 kB$`, pushed.Summary)
	require.Equal(t, 3, r.lfs.Counts().Verified)

	more := r.store("two")
	tip := r.commitPointers(append(more, objects...)...)
	r.produceWith(lfs.NewList(append(more, objects[2])))
	pushed = r.consume()[0]
	require.Regexp(t, `, with 2 LFS objects, 600 kB, 1 was there already$`, pushed.Summary)
	require.Equal(t, tip, r.tip())
	require.Equal(t, 4, r.lfs.Counts().Uploads)
}

// What the source does not have stops nothing, is told by name, and is not missing if somebody has put it at the destination.
func TestLFSObjectsMissingAtTheSource(t *testing.T) {
	t.Parallel()
	r := newPushLFSRig(t)
	gone, byHand := lfsObject("gone"), lfsObject("by hand")
	objects := r.store("one")
	_, err := r.lfs.Add(destinationRepo, []byte("by hand"))
	require.NoError(t, err)
	tip := r.commitPointers(gone, byHand, objects[0])
	r.produceWith(lfs.Union(missing(gone, byHand), lfs.NewList(objects)))
	d := must(r.rig, r.pushLFS, r.decrypted())
	require.Equal(t, PushedLFS{MovedLFS: MovedLFS{Sent: 1, There: 1, Missing: 1, Size: 3, MissingNames: []string{gone.OID}}}, *d.LFS)
	require.Regexp(t, `, with 3 LFS objects, 3 B, 1 was there already, 1 missing at the source: `+gone.OID+`$`, must(r.rig, r.push, d).Summary)
	require.Equal(t, tip, r.tip())
}

// A text that is like a pointer, as documents have examples, is missing everywhere. It asks for no LFS at the destination. What
// its size says is nobody's, though a server may repeat it.
func TestTextsThatAreLikePointers(t *testing.T) {
	t.Parallel()
	r := newPushLFSRig(t)
	example := lfsObject("example")
	example.Size = lfs.MaxSize
	tip := r.commitPointers(example)
	r.produceWith(missing(example))
	d := r.decrypted()
	r.lfs.Switch(func(s *gitserver.LFSSwitches) { s.Disabled = true })
	pushed := must(r.rig, r.pushLFS, d)
	require.Equal(t, PushedLFS{MovedLFS: MovedLFS{Missing: 1, MissingNames: []string{example.OID}}}, *pushed.LFS)
	must(r.rig, r.push, pushed)
	require.Equal(t, tip, r.tip())

	_, err := r.lfs.Add(destinationRepo, []byte("example"))
	require.NoError(t, err)
	r.lfs.Switch(func(s *gitserver.LFSSwitches) { s.Disabled, s.EchoSizes = false, true })
	require.Equal(t, PushedLFS{MovedLFS: MovedLFS{There: 1}}, *must(r.rig, r.pushLFS, d).LFS)
}

func TestLFSSummary(t *testing.T) {
	t.Parallel()
	names := strings.Split("abcde", "")
	for want, pushed := range map[string]MovedLFS{
		"12 LFS objects, 3.1 GB, 10 were there already":                       {Sent: 2, There: 10, Size: 3_100_000_000},
		"1 LFS object, 5 B":                                                   {Sent: 1, Size: 5},
		"1 LFS object, 5 B, 1 was there already":                              {There: 1, Size: 5},
		"5 LFS objects, 0 B, 5 missing at the source: a, b, c, …":             {Missing: 5, MissingNames: names},
		"4 LFS objects, 2 B, 3 missing at the source: a, b, c":                {Sent: 1, Size: 2, Missing: 3, MissingNames: names[:3]},
		"30 LFS objects, 0 B, 30 missing at the source: a, b, c, …":           {Missing: 30, MissingNames: slices.Repeat(names, 4)},
		"2 LFS objects, 1.0 kB, 1 was there already":                          {Sent: 1, There: 1, Size: 1000},
		"3 LFS objects, 7 B, 1 was there already, 1 missing at the source: a": {Sent: 1, There: 1, Size: 7, Missing: 1, MissingNames: names[:1]},
	} {
		require.Equal(t, want, pushed.Summary())
	}
	require.Equal(t, "12 LFS objects left out: LFS=false", PushedLFS{LeftOut: 12}.Summary())
	require.Equal(t, "1 LFS object left out: LFS=false", PushedLFS{LeftOut: 1}.Summary())
	require.Equal(t, "1 LFS object, 5 B", PushedLFS{MovedLFS: MovedLFS{Sent: 1, Size: 5}}.Summary())
}

// With LFS=false the commits come alone, and nobody asks for LFS.
func TestLFSObjectsAreLeftOut(t *testing.T) {
	t.Parallel()
	r := newPushLFSRig(t)
	r.consumer.LFS = nil
	objects := r.store("one", "two")
	tip := r.commitPointers(objects...)
	r.produceWith(lfs.NewList(objects))
	require.Contains(t, r.consume()[0].Summary, ", with 2 LFS objects left out: LFS=false")
	require.Equal(t, tip, r.tip())
	require.Zero(t, r.lfs.Counts())
}

// Several objects of a chain need LFS objects: each is asked for and sent once. What one of them had no content for, another may.
func TestLFSObjectsOfAChain(t *testing.T) {
	t.Parallel()
	r := newPushLFSRig(t)
	objects := r.store("one", "two", "three")
	_, err := r.source.Commit(t.Context(), sourceRepo, "main", map[string]string{"large": random(100_000)}, "large")
	require.NoError(t, err)
	r.produceWith(lfs.Union(lfs.NewList(objects[:2]), missing(objects[2])))
	tip := r.commitPointers(objects...)
	r.produceWith(lfs.Union(lfs.NewList(objects[1:]), missing(objects[0])))
	var asked [][]lfs.Object
	r.consumer.LFS = spiedLFS{LFSDestination: r.consumer.LFS, batch: func(_ lfsapi.Operation, objects []lfs.Object) { asked = append(asked, objects) }}

	d := r.decrypted()
	require.Len(t, d.Bundles, 2)
	require.Equal(t, 6, d.LFSObjects, "as they are listed")
	d = must(r.rig, r.pushLFS, d)
	require.Equal(t, PushedLFS{MovedLFS: MovedLFS{Sent: 3, Size: lfs.TotalSize(objects)}}, *d.LFS)
	require.Len(t, asked, 1)
	require.Len(t, asked[0], 3)
	must(r.rig, r.push, d)
	require.Equal(t, tip, r.tip())

	// Everything anew, as for a destination that has lost what an increment builds on.
	p := plan.Push{Destination: r.sync.Destination, FromSnapshot: true, Head: r.tip()}
	p.Objects = r.chains()[r.sync.Destination].Restoring()
	p.Commit = tip
	r.atDestination("update-ref", "-d", r.sync.Destination.Ref())
	p.Head, p.Since = "", p.Objects[1].Modified
	d = must(r.rig, r.pushLFS, must(r.rig, r.rig.decrypt, must(r.rig, r.download, p)))
	require.Equal(t, PushedLFS{MovedLFS: MovedLFS{There: 3, Size: lfs.TotalSize(objects)}}, *d.LFS)
	require.Equal(t, 3, r.lfs.Counts().Uploads)
}

// Thousands are asked for a hundred at a time, since links expire and answers take memory.
func TestThousandsOfLFSObjects(t *testing.T) {
	t.Parallel()
	r := newPushLFSRig(t)
	var objects []lfs.Object
	for i := range 1050 {
		o, err := r.lfs.Add(destinationRepo, []byte(strconv.Itoa(i)))
		require.NoError(t, err)
		objects = append(objects, o)
	}
	late := lfs.NewList(objects).Present()[1020]
	r.lose(late.OID)
	for i := range 1050 { // it is in the last hundred
		if lfsObject(strconv.Itoa(i)) == late {
			r.store(strconv.Itoa(i))
		}
	}
	r.commitPointers(objects[0])
	r.produceWith(lfs.NewList(objects))
	var asked []int
	r.consumer.LFS = spiedLFS{LFSDestination: r.consumer.LFS, batch: func(_ lfsapi.Operation, objects []lfs.Object) { asked = append(asked, len(objects)) }}
	d := must(r.rig, r.pushLFS, r.decrypted())
	require.Equal(t, []int{100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 50}, asked)
	require.Equal(t, 1, d.LFS.Sent)
	require.Equal(t, 1049, d.LFS.There)
}

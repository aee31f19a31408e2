package activities

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// What a tag costs beside 10,000 others is its pack, what surrounds every object, and its line in the list.
func TestOneTagBesideManyCostsItself(t *testing.T) {
	t.Parallel()
	const tags = 10_000
	r := newSetRig(t, "refs/*", "refs/*")
	tip := r.commitOn("main", random(40_000))
	var packed strings.Builder
	packed.WriteString("# pack-refs with: peeled fully-peeled sorted \n" + tip + " refs/heads/main\n")
	for i := range tags {
		fmt.Fprintf(&packed, "%s refs/tags/v%05d\n", tip, i)
	}
	r.atSource("update-ref", "-d", "refs/heads/main")
	require.NoError(t, os.WriteFile(filepath.Join(r.source.Dir(sourceRepo), "packed-refs"), []byte(packed.String()), 0o600))
	first := r.produceSet()
	require.Contains(t, first.Summary, ": 1 branch, 10000 tags, ")

	r.atSource("-c", "user.name=a", "-c", "user.email=a@example.com", "tag", "--annotate", "--message", "new", "new", "main")
	p := must(r, r.clone, r.setUpload())
	require.Equal(t, "1 tag new", p.Changes)
	second := r.complete(p)
	pack := p.Bundle.Size - int64(len("# v2 git bundle\n"+aCommit+" refs/tags/new\n\n"))
	const memberHeader, block = 512, 512 // bytes, of tar
	growth := memberHeader + (p.Bundle.RefsSize+block-1)/block*block
	t.Logf("first sync %d bytes; one tag: %d bytes, of which its pack %d, and its line %d", first.Size, second.Size, pack, growth)
	require.LessOrEqual(t, second.Size, pack+4<<10+growth)
}

// Between two states of many branches, nothing is fetched but the objects that are new.
func TestSetIsNegotiated(t *testing.T) {
	t.Parallel()
	r := newSetRig(t, "refs/*", "refs/*")
	shared := random(40_000)
	r.commitOn("main", shared)
	for i := range 20 {
		r.atSource("branch", fmt.Sprint("b", i), "main")
		r.commitOn(fmt.Sprint("b", i), fmt.Sprint(i)+shared)
	}
	before, err := r.producer.readSet(t.Context(), r.sync)
	require.NoError(t, err)
	r.commitOn("b3", "more"+shared)
	r.atSource("branch", "-D", "b4")
	r.atSource("branch", "new", "b5")
	r.commitOn("new", "new"+shared)
	r.atSource("tag", "light", "b6")
	after, err := r.producer.readSet(t.Context(), r.sync)
	require.NoError(t, err)

	request := smarthttp.FetchRequest{Repo: sourceRepo, Wants: wants(before.refs, after.refs), Haves: haves(r.sync.Source, before.refs, after.refs), Thin: true}
	stream, err := r.producer.Source.FetchPack(t.Context(), request)
	require.NoError(t, err)
	defer stream.Close()
	pack, err := io.ReadAll(stream)
	require.NoError(t, err)
	require.EqualValues(t, 6, pack[11], "two commits, with a tree and a file each")
	require.Less(t, len(pack), 1_000, "and the files are deltas")
}

package smarthttp_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

func TestEachRef(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]gitserver.Option{"v2": nil, "v0": {gitserver.WithoutProtocolV2()}} {
		t.Run(name, func(t *testing.T) {
			server, client := newServer(t, opts...)
			tip := commit(t, server, "main", payload)
			for _, ref := range []string{"refs/sync/main/1", "refs/sync/main/2", "refs/sync/main-2/1", "refs/sync/other/1"} {
				git(t, server, "update-ref", ref, tip)
			}
			git(t, server, "tag", "-a", "-m", "tag", "v1", tip)
			tag := git(t, server, "rev-parse", "v1")
			git(t, server, "update-ref", "refs/sync/main/3", tag)
			below := refsBelow(t, client, "refs/sync/main/", "refs/heads/main")
			require.Equal(t, map[string]string{"refs/heads/main": tip, "refs/sync/main/1": tip, "refs/sync/main/2": tip, "refs/sync/main/3": tag}, below)
			require.Empty(t, refsBelow(t, client, "refs/nothing/"))

			named, err := client.Refs(t.Context(), repo, "refs/sync/other/1", "refs/sync/main", "refs/nothing")
			require.NoError(t, err)
			require.Equal(t, map[string]string{"refs/sync/other/1": tip}, named)
			none, err := client.Refs(t.Context(), repo)
			require.NoError(t, err)
			require.Empty(t, none)
			_, err = client.Refs(t.Context(), repo, "refs/a\nb")
			require.ErrorContains(t, err, "invalid ref")
		})
	}
}

// Whoever may push can make any number of refs. They are passed on, and not kept.
func TestEachRefOfMany(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	tip := commit(t, server, "main", payload)
	var packed strings.Builder
	packed.WriteString("# pack-refs with: peeled fully-peeled sorted \n")
	const many = 30_000
	for i := range many {
		fmt.Fprintf(&packed, "%s refs/sync/%06d\n", tip, i)
	}
	require.NoError(t, os.WriteFile(filepath.Join(server.Dir(repo), "packed-refs"), []byte(packed.String()), 0o600))
	n := 0
	wanted := smarthttp.Wanted{Names: []string{"refs/heads/main"}, Prefixes: []string{"refs/sync/"}}
	require.NoError(t, client.EachRef(t.Context(), repo, wanted, func(smarthttp.Ref) error { n++; return nil }))
	require.Equal(t, many+1, n)
}

func refsBelow(t *testing.T, client *smarthttp.Client, below string, names ...string) map[string]string {
	t.Helper()
	refs := map[string]string{}
	wanted := smarthttp.Wanted{Names: names, Prefixes: []string{below}}
	require.NoError(t, client.EachRef(t.Context(), repo, wanted, func(ref smarthttp.Ref) error {
		require.Equal(t, smarthttp.Ref{Name: ref.Name, Object: ref.Object}, ref, "what was not asked for")
		refs[ref.Name] = ref.Object
		return nil
	}))
	return refs
}

// Refs that change together are all changed, or none.
func TestPushSeveralRefs(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	push := func(old string, also ...smarthttp.RefUpdate) error {
		return r.to.Push(t.Context(), smarthttp.PushRequest{
			Repo: repo, Updates: append([]smarthttp.RefUpdate{{Ref: "refs/heads/copy", Old: old, New: r.base}}, also...),
			Pack: bytes.NewReader(r.snapshot), PackSize: int64(len(r.snapshot)),
		})
	}
	refs := func() map[string]string { return refsBelow(t, r.to, "refs/sync/") }
	require.NoError(t, push("", smarthttp.RefUpdate{Ref: "refs/sync/1", New: r.base}))
	require.Equal(t, map[string]string{"refs/sync/1": r.base}, refs())

	require.NoError(t, push(r.base, smarthttp.RefUpdate{Ref: "refs/sync/1", Old: r.base}, smarthttp.RefUpdate{Ref: "refs/sync/2", New: r.base}))
	require.Equal(t, map[string]string{"refs/sync/2": r.base}, refs())

	var moved *smarthttp.MovedError
	require.ErrorAs(t, push(r.base, smarthttp.RefUpdate{Ref: "refs/sync/3", New: r.base}, smarthttp.RefUpdate{Ref: "refs/sync/2", New: r.base}), &moved)
	require.Equal(t, smarthttp.MovedError{Ref: "refs/sync/2", Tip: r.base}, *moved)

	var refused *smarthttp.RefusedError
	require.ErrorAs(t, push(r.base, smarthttp.RefUpdate{Ref: "refs/sync/3", New: r.base}, smarthttp.RefUpdate{Ref: "refs/sync/2/1", New: r.base}), &refused)
	require.Equal(t, map[string]string{"refs/sync/2": r.base}, refs())

	null := strings.Repeat("0", 40) // stands for no commit: as a new one, it would delete the ref
	for _, bad := range []struct {
		update smarthttp.RefUpdate
		want   string
	}{
		{smarthttp.RefUpdate{Ref: "refs/sync/4"}, "nothing to do"},
		{smarthttp.RefUpdate{Ref: "refs/sync/4", New: "x"}, "invalid commit"},
		{smarthttp.RefUpdate{Ref: "refs/sync/2", Old: r.base, New: null}, "invalid commit"},
		{smarthttp.RefUpdate{Ref: "refs/sync/4", Old: null, New: r.base}, "invalid commit"},
		{smarthttp.RefUpdate{Ref: "refs/sync/4\n0000", New: r.base}, "invalid ref"},
		{smarthttp.RefUpdate{Ref: "refs/sync/", New: r.base}, "invalid ref"},
	} {
		require.ErrorContains(t, push(r.base, bad.update), bad.want)
		require.Equal(t, map[string]string{"refs/sync/2": r.base}, refs())
	}
}

func TestPushDeletes(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	require.NoError(t, r.push(t, "", r.base, r.snapshot))
	require.NoError(t, r.to.Push(t.Context(), smarthttp.PushRequest{
		Repo: repo, Updates: []smarthttp.RefUpdate{{Ref: "refs/heads/other", New: r.base}},
		Pack: bytes.NewReader(smarthttp.EmptyPack), PackSize: int64(len(smarthttp.EmptyPack)),
	}))
	require.NoError(t, r.to.Push(t.Context(), smarthttp.PushRequest{Repo: repo, Updates: []smarthttp.RefUpdate{{Ref: "refs/heads/copy", Old: r.base}}}))
	heads, err := headsOf(t.Context(), r.to, repo, "copy", "other")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"other": r.base}, heads)
}

func TestDescends(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	root := commit(t, server, "main", "root")
	second := commit(t, server, "main", "second")
	git(t, server, "branch", "side", root)
	side := commit(t, server, "side", "side")
	tree := git(t, server, "rev-parse", second+"^{tree}")
	git(t, server, "config", "user.name", "x")
	git(t, server, "config", "user.email", "x@example.com")
	merge := git(t, server, "commit-tree", tree, "-p", second, "-p", side, "-m", "merge")
	git(t, server, "update-ref", "refs/heads/merged", merge)
	for name, tt := range map[string]struct {
		commit, ancestor string
		want             bool
	}{
		"child":         {second, root, true},
		"itself":        {second, second, true},
		"parent":        {root, second, false},
		"sibling":       {side, second, false},
		"first parent":  {merge, second, true},
		"second parent": {merge, side, true},
		"root of both":  {merge, root, true},
		"merged before": {second, merge, false},
		"unknown":       {absent, second, false},
	} {
		t.Run(name, func(t *testing.T) {
			git(t, server, "update-ref", "refs/heads/asked", tt.ancestor)
			got, err := client.Descends(t.Context(), repo, tt.commit, tt.ancestor)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

// That there is nothing to send counts only from a server which says that it has what the receiver has.
func TestDescendsFromWhatTheServerHas(t *testing.T) {
	t.Parallel()
	var known string
	server, client := newServer(t, tamper(func(b []byte) []byte {
		return bytes.Replace(b, []byte(pkt("ACK "+known+"\n")), []byte(pkt("NAK\n")), 1)
	}))
	tip := commit(t, server, "main", "1")
	for _, acknowledged := range []bool{true, false} {
		if !acknowledged {
			known = tip
		}
		got, err := client.Descends(t.Context(), repo, tip, tip)
		require.NoError(t, err)
		require.Equal(t, acknowledged, got)
	}
}

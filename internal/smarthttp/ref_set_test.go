package smarthttp_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

func TestEachRefWithWhatItLeadsTo(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, opts ...gitserver.Option) {
		server, client := newServer(t, opts...)
		tip := commit(t, server, "main", payload)
		git(t, server, "symbolic-ref", "HEAD", "refs/heads/main")
		git(t, server, "branch", "main-2", tip)
		git(t, server, "tag", "light", tip)
		git(t, server, "tag", "-a", "-m", "tag", "v1", tip)
		git(t, server, "tag", "-a", "-m", "tag of a tag", "v1.1", "v1")
		tag, nested := git(t, server, "rev-parse", "v1"), git(t, server, "rev-parse", "v1.1")

		list := func(wanted smarthttp.Wanted) (refs []smarthttp.Ref) {
			wanted.Names, wanted.Prefixes = []string{"HEAD", "refs/heads/main", "refs/heads/missing"}, []string{"refs/tags/", "refs/none/"}
			require.NoError(t, client.EachRef(t.Context(), repo, wanted, func(ref smarthttp.Ref) error {
				refs = append(refs, ref)
				return nil
			}))
			return refs
		}
		plain := []smarthttp.Ref{
			{Name: "HEAD", Object: tip}, {Name: "refs/heads/main", Object: tip},
			{Name: "refs/tags/light", Object: tip}, {Name: "refs/tags/v1", Object: tag}, {Name: "refs/tags/v1.1", Object: nested},
		}
		require.Equal(t, plain, list(smarthttp.Wanted{}))
		full := append([]smarthttp.Ref{}, plain...)
		full[0].SymrefTarget, full[3].Peeled, full[4].Peeled = "refs/heads/main", tip, tip
		require.Equal(t, full, list(smarthttp.Wanted{Peel: true, Symrefs: true}))

		enough := errors.New("enough")
		visits := 0
		err := client.EachRef(t.Context(), repo, smarthttp.Wanted{Prefixes: []string{"refs/"}}, func(smarthttp.Ref) error {
			visits++
			return enough
		})
		require.ErrorIs(t, err, enough)
		require.Equal(t, 1, visits)
		for _, prefix := range []string{"", "/", "refs/a b", "refs/\n0000"} {
			require.ErrorContains(t, client.EachRef(t.Context(), repo, smarthttp.Wanted{Prefixes: []string{prefix}}, nil), "invalid prefix", "%q", prefix)
		}
		require.NoError(t, client.EachRef(t.Context(), repo, smarthttp.Wanted{}, nil), "nothing is asked")
	})
}

// A set of branches and tags comes in one pack, without what the receiver has.
func TestFetchSeveral(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, opts ...gitserver.Option) {
		server, client := newServer(t, opts...)
		first, second := commit(t, server, "main", "1"), commit(t, server, "main", "2")
		oldSide := commit(t, server, "side", "3")
		base, _ := fetchAll(t, client, smarthttp.FetchRequest{Repo: repo, Wants: []string{second, oldSide}})
		tip, side := commit(t, server, "main", "4"), commit(t, server, "side", "5")
		git(t, server, "tag", "-a", "-m", "tag", "v1", tip)
		tag := git(t, server, "rev-parse", "v1")
		unwanted := commit(t, server, "other", "6")

		// Of a commit and its parent, git acknowledges both.
		wants, haves := []string{tip, side, tag}, []string{absent, second, first, oldSide}
		pack, common := fetchAll(t, client, smarthttp.FetchRequest{Repo: repo, Wants: wants, Haves: haves, Thin: true})
		require.Equal(t, second, common, "the first that the server has")
		dir := index(t, base, pack)
		for _, want := range wants {
			require.Equal(t, revList(t, server.Dir(repo), want), revList(t, dir, want))
		}
		require.False(t, hasObject(t, dir, unwanted))
		require.Equal(t, byte(7), pack[11], "two commits with a tree and a file each, and a tag: nothing of either have's history")

		pack, common = fetchAll(t, client, smarthttp.FetchRequest{Repo: repo, Wants: wants, Haves: []string{absent, strings.Repeat("a", 40)}})
		require.Empty(t, common)
		require.Equal(t, revList(t, server.Dir(repo), side), revList(t, index(t, pack), side))

		git(t, server, "update-ref", "-d", "refs/heads/side")
		_, err := client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: repo, Wants: wants, Haves: haves})
		require.ErrorIs(t, err, smarthttp.ErrNotOurRef, "one of many")
		require.ErrorContains(t, err, side)
		_, err = client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: repo})
		require.ErrorContains(t, err, "nothing is wanted")
	})
}

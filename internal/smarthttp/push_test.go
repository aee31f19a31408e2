package smarthttp_test

import (
	"bytes"
	"cmp"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// relay has a source with two commits on main, and an empty destination.
type relay struct {
	source, destination *gitserver.Server
	from, to            *smarthttp.Client
	base, tip           string
	snapshot, increment []byte // the packs of base, and of tip on top of it
}

func newRelay(t *testing.T, opts ...gitserver.Option) *relay {
	t.Helper()
	r := &relay{}
	r.source, r.from = newServer(t)
	r.destination, r.to = newServer(t, opts...)
	long := strings.Repeat(payload, 100)
	r.base, r.tip = commit(t, r.source, "main", long), commit(t, r.source, "main", long+"2")
	r.snapshot, _ = fetch(t, r.from, r.base, "")
	r.increment, _ = fetch(t, r.from, r.tip, r.base)
	return r
}

func (r *relay) push(t *testing.T, old, commit string, pack []byte) error {
	t.Helper()
	return r.to.Push(t.Context(), smarthttp.PushRequest{
		Repo: repo, Updates: []smarthttp.RefUpdate{{Ref: "refs/heads/copy", Old: old, New: commit}},
		Pack: bytes.NewReader(pack), PackSize: int64(len(pack)), Thin: bytes.Equal(pack, r.increment),
	})
}

func (r *relay) hook(t *testing.T, script string) {
	t.Helper()
	require.NoError(t, r.destination.Hook(repo, "pre-receive", "cat >/dev/null\n"+script))
}

func TestPushCreatesUpdatesAndRewinds(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	require.NoError(t, r.push(t, "", r.base, r.snapshot))
	require.Equal(t, r.base, git(t, r.destination, "rev-parse", "refs/heads/copy"))

	require.NoError(t, r.push(t, r.base, r.tip, r.increment))
	require.Equal(t, r.tip, git(t, r.destination, "rev-parse", "refs/heads/copy"))
	require.Equal(t, revList(t, r.source.Dir(repo), r.tip), revList(t, r.destination.Dir(repo), r.tip))
	git(t, r.destination, "fsck", "--strict")

	empty, _ := fetch(t, r.from, r.base, r.base)
	require.NoError(t, r.push(t, r.tip, r.base, empty))
	require.Equal(t, r.base, git(t, r.destination, "rev-parse", "refs/heads/copy"))
}

func TestPushToMovedBranch(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	require.NoError(t, r.push(t, "", r.base, r.snapshot))
	for name, old := range map[string]string{"elsewhere": r.tip, "not expected to exist": ""} {
		t.Run(name, func(t *testing.T) {
			var moved *smarthttp.MovedError
			require.ErrorAs(t, r.push(t, old, r.tip, r.increment), &moved)
			require.Equal(t, smarthttp.MovedError{Ref: "refs/heads/copy", Expected: old, Tip: r.base}, *moved)
			require.ErrorContains(t, moved, `"refs/heads/copy" moved: expected `+cmp.Or(old, "nothing")+", found "+r.base)
			require.Equal(t, r.base, git(t, r.destination, "rev-parse", "refs/heads/copy"))
		})
	}
	var moved *smarthttp.MovedError
	err := r.to.Push(t.Context(), smarthttp.PushRequest{Repo: repo, Updates: []smarthttp.RefUpdate{{Ref: "refs/heads/gone", Old: r.base, New: r.tip}}})
	require.ErrorAs(t, err, &moved)
	require.ErrorContains(t, err, "found nothing")
}

func TestPushToRepositoryWithoutRefs(t *testing.T) {
	r := newRelay(t)
	push := smarthttp.PushRequest{
		Repo: repo, Updates: []smarthttp.RefUpdate{{Ref: "refs/heads/copy", New: r.base}}, NoRefs: true,
		Pack: bytes.NewReader(r.snapshot), PackSize: int64(len(r.snapshot)),
	}
	require.NoError(t, r.to.Push(t.Context(), push))
	push.Updates[0].Ref = "refs/heads/other"
	require.ErrorIs(t, r.to.Push(t.Context(), push), smarthttp.ErrHasRefs)
}

// The branch moves after it was advertised: receive-pack itself has to notice.
func TestPushRace(t *testing.T) {
	t.Parallel()
	var r *relay
	race := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.Method == http.MethodPost {
				_, err := r.destination.Commit(req.Context(), repo, "copy", nil, "in between")
				if err != nil {
					http.Error(w, err.Error(), http.StatusTeapot)
					return
				}
			}
			next.ServeHTTP(w, req)
		})
	}
	r = newRelay(t, gitserver.WithMiddleware(race))
	var refused *smarthttp.RefusedError
	require.ErrorAs(t, r.push(t, "", r.base, r.snapshot), &refused)
	require.Equal(t, "refs/heads/copy", refused.First().Ref)
	require.NotEqual(t, r.base, git(t, r.destination, "rev-parse", "refs/heads/copy"))
}

func TestPushRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		setup func(t *testing.T, r *relay)
		push  func(t *testing.T, r *relay) error
		want  []string
	}{
		"by a hook": {
			setup: func(t *testing.T, r *relay) {
				r.hook(t, `printf 'GitLab: \033[31mYou are not allowed\033[0m to\007 force push\nsecond line\n' >&2; exit 1`)
			},
			push: func(t *testing.T, r *relay) error { return r.push(t, "", r.base, r.snapshot) },
			want: []string{"pre-receive hook declined", "GitLab: You are not allowed to force push; second line"},
		},
		"as not a fast-forward": {
			setup: func(t *testing.T, r *relay) {
				full, _ := fetch(t, r.from, r.tip, "")
				require.NoError(t, r.push(t, "", r.tip, full))
				git(t, r.destination, "config", "receive.denyNonFastForwards", "true")
			},
			push: func(t *testing.T, r *relay) error { return r.push(t, r.tip, r.base, r.snapshot) },
			want: []string{"not updated: non-fast-forward", "denying non-fast-forward refs/heads/copy"},
		},
		"for a thin pack without its base": {
			push: func(t *testing.T, r *relay) error { return r.push(t, "", r.tip, r.increment) },
			want: []string{"unpack failed: ", "unresolved delta"},
		},
		"for a truncated pack": {
			push: func(t *testing.T, r *relay) error {
				return r.push(t, "", r.base, r.snapshot[:len(r.snapshot)-25])
			},
			want: []string{"unpack failed: "},
		},
		"for a pack without the commit": {
			push: func(t *testing.T, r *relay) error { return r.push(t, "", r.tip, r.snapshot) },
			want: []string{"not updated: missing necessary objects"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t)
			if tt.setup != nil {
				tt.setup(t, r)
			}
			before, err := headsOf(t.Context(), r.to, repo, "copy")
			require.NoError(t, err)
			err = tt.push(t, r)
			var refused *smarthttp.RefusedError
			require.ErrorAs(t, err, &refused)
			for _, text := range tt.want {
				require.ErrorContains(t, err, text)
			}
			require.NotContains(t, err.Error(), "\x1b")
			after, err := headsOf(t.Context(), r.to, repo, "copy")
			require.NoError(t, err)
			require.Equal(t, before, after)
		})
	}
}

func TestPushKeepsTheHooksFirstAndLastWords(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	r.hook(t, `i=0; while [ $i -lt 500 ]; do echo "line $i" >&2; i=$((i+1)); done; exit 1`)
	var refused *smarthttp.RefusedError
	require.ErrorAs(t, r.push(t, "", r.base, r.snapshot), &refused)
	require.Len(t, refused.Messages, 21)
	require.Equal(t, "line 0", refused.Messages[0])
	require.Equal(t, "… 480 more lines …", refused.Messages[10])
	require.Equal(t, "line 499", refused.Messages[20])
}

// What a server cannot do is not tried: without its report, nobody would know what became of the push.
func TestPushIsNotTriedInVain(t *testing.T) {
	t.Parallel()
	for caps, want := range map[string]string{
		"report-status side-band-64k no-thin": smarthttp.ErrNoThin.Error(),
		"report-status":                       "server does not report the outcome of a push",
		"side-band-64k":                       "server does not report the outcome of a push",
		"report-status side-band-64k":         smarthttp.ErrNoAtomic.Error(),
		"report-status side-band-64k atomic":  "",
	} {
		posted := false
		fake := newFake(t, func(w http.ResponseWriter, r *http.Request) {
			posted = posted || r.Method == http.MethodPost
			w.Header().Set("Content-Type", "application/x-git-receive-pack-advertisement")
			_, _ = w.Write([]byte(pkt("# service=git-receive-pack\n") + "0000" + pkt(strings.Repeat("0", 40)+" capabilities^{}\x00"+caps+"\n") + "0000"))
		})
		err := fake.Push(t.Context(), smarthttp.PushRequest{
			Repo: repo, Updates: []smarthttp.RefUpdate{{Ref: "refs/heads/main", New: absent}}, Atomic: true, Pack: strings.NewReader("PACK"), PackSize: 4, Thin: true,
		})
		require.ErrorContains(t, err, want, caps)
		require.Equal(t, want == "", posted, caps)
	}
}

func TestPushOfShortPackIsAnError(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	err := r.to.Push(t.Context(), smarthttp.PushRequest{
		Repo: repo, Updates: []smarthttp.RefUpdate{{Ref: "refs/heads/copy", New: r.base}},
		Pack: bytes.NewReader(r.snapshot), PackSize: int64(len(r.snapshot)) + 1,
	})
	require.Error(t, err, "whatever the server has made of what came")
}

// What reads and pushes see of a ref may differ.
func TestPushedTip(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	tip := func(ref string) string {
		tip, err := r.to.PushedTip(t.Context(), repo, ref)
		require.NoError(t, err)
		return tip
	}
	require.Empty(t, tip("refs/heads/copy"))
	require.NoError(t, r.push(t, "", r.base, r.snapshot))
	require.Equal(t, r.base, tip("refs/heads/copy"))
	require.Empty(t, tip("refs/heads/cop"))

	git(t, r.destination, "config", "uploadpack.hideRefs", "refs/heads/copy")
	require.Equal(t, r.base, tip("refs/heads/copy"))
	git(t, r.destination, "config", "receive.hideRefs", "refs/heads/copy")
	require.Empty(t, tip("refs/heads/copy"))
	_, err := r.to.PushedTip(t.Context(), "no/such", "refs/heads/copy")
	require.ErrorIs(t, err, smarthttp.ErrNotFound)
}

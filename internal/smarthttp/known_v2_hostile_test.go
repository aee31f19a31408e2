package smarthttp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/pipeserver"
)

// A server that says nothing is waited for once, and asked what it speaks the next time: it may have become one that leaves requests of
// protocol v2 without an answer.
func TestKnownRepositoryIsSilent(t *testing.T) {
	t.Parallel()
	look := func(ctx context.Context, client *smarthttp.Client) error {
		_, err := headsOf(ctx, client, repo, "main")
		return err
	}
	for name, tt := range map[string]struct {
		ask   func(context.Context, *smarthttp.Client) error
		limit time.Duration // of the caller; none if 0
		waits time.Duration
	}{
		"look":                      {look, 0, time.Minute},
		"look, and a limit of time": {look, time.Second, time.Second},
		"fetch": {func(ctx context.Context, client *smarthttp.Client) error {
			_, err := client.FetchPack(ctx, smarthttp.FetchRequest{Repo: repo, Wants: []string{absent}})
			return err
		}, 0, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var (
					mu    sync.Mutex
					asked []string
					hangs atomic.Bool
				)
				methods := func() []string {
					mu.Lock()
					defer mu.Unlock()
					return slices.Clone(asked)
				}
				client := smarthttp.New(smarthttp.Options{Forge: gitlab.At(mustParse(t, pipeserver.URL)), HTTP: pipeserver.Start(t, http.HandlerFunc(
					func(w http.ResponseWriter, r *http.Request) {
						_, _ = io.Copy(io.Discard, r.Body) // so that the end of the connection is seen
						mu.Lock()
						asked = append(asked, r.Method)
						mu.Unlock()
						switch {
						case r.Method == http.MethodGet && hangs.Load():
							w.Header().Set("Content-Type", upload)
							_, _ = io.WriteString(w, pkt("# service=git-upload-pack\n")+"0000"+pkt(absent+" refs/heads/main\x00agent=git/1\n")+"0000")
						case r.Method == http.MethodGet:
							w.Header().Set("Content-Type", upload)
							_, _ = io.WriteString(w, pkt("version 2\n")+"0000")
						case hangs.Load():
							<-r.Context().Done()
						default:
							w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
							_, _ = io.WriteString(w, "0000")
						}
					}))})
				require.NoError(t, look(t.Context(), client))
				hangs.Store(true)
				ctx, cancel := t.Context(), func() {}
				if tt.limit > 0 {
					ctx, cancel = context.WithTimeout(ctx, tt.limit)
				}
				defer cancel()
				begin := time.Now()
				err := tt.ask(ctx, client)
				if tt.limit > 0 {
					require.ErrorIs(t, err, context.DeadlineExceeded)
				} else {
					require.ErrorIs(t, err, httpclient.ErrSilent)
				}
				require.Equal(t, tt.waits, time.Since(begin))
				require.Equal(t, []string{"GET", "POST", "POST"}, methods())
				heads, err := headsOf(t.Context(), client, repo, "main")
				require.NoError(t, err)
				require.Equal(t, map[string]string{"main": absent}, heads)
				require.Equal(t, []string{"GET", "POST", "POST", "GET"}, methods())
			})
		})
	}
}

// A server that has told of protocol v2 may send what it likes to the next request: what comes is bounded, and no more is asked.
func TestHostileServerThatIsKnown(t *testing.T) {
	t.Parallel()
	for name, flood := range map[string]string{
		"refs that nobody wants": pkt(absent + " refs/heads/other\n"),
		"names of a set":         pkt(absent + " refs/heads/main\n"),
		"errors":                 pkt("ERR " + strings.Repeat("x", 60_000)),
		"empty packets":          "0004",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				asked++
				first := asked <= 2
				mu.Unlock()
				switch {
				case r.Method == http.MethodGet:
					w.Header().Set("Content-Type", upload)
					_, _ = io.WriteString(w, pkt("version 2\n")+"0000")
				case first:
					w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
					_, _ = io.WriteString(w, "0000")
				default:
					w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
					for err := error(nil); err == nil; {
						_, err = io.WriteString(w, flood)
					}
				}
			}))
			defer server.Close()
			client := newClientWith(t, server.URL, smarthttp.Options{Limits: smarthttp.Limits{Discovery: patience}})
			for range 3 {
				_, _ = headsOf(t.Context(), client, repo, "main")
			}
			mu.Lock()
			defer mu.Unlock()
			require.LessOrEqual(t, asked, 2+3+2)
		})
	}
}

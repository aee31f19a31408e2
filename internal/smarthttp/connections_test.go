package smarthttp_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// Whatever is asked leaves its connection to the next request.
func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, opts ...gitserver.Option) {
		var mu sync.Mutex
		connections := map[string]bool{}
		count := gitserver.WithMiddleware(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				connections[r.RemoteAddr] = true
				mu.Unlock()
				next.ServeHTTP(w, r)
			})
		})
		server, _ := newServer(t, append(opts, count)...)
		client := newClientWith(t, server.URL(), smarthttp.Options{HTTP: httpclient.New(nil)})
		tip := commit(t, server, "main", "1")
		for range 3 {
			require.Equal(t, tip, look(t, client))
			fetch(t, client, tip, "")
			_, err := client.Known(t.Context(), repo, tip, absent)
			require.NoError(t, err)
			_, err = client.PushedTip(t.Context(), repo, "refs/heads/main")
			require.NoError(t, err)
		}
		require.Len(t, connections, 1)
	})
}

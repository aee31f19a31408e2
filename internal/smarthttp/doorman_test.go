package smarthttp_test

import (
	"bytes"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// doorman sees all that a Git server is asked, and answers in its place if it is told to.
type doorman struct {
	mu    sync.Mutex
	asked []string
	// answer tells whether it has answered. Nil answers nothing.
	answer func(w http.ResponseWriter, r *http.Request) bool
}

func (d *doorman) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		kind := path.Base(r.URL.Path)
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if _, command, ok := strings.Cut(string(body), "command="); ok {
			kind, _, _ = strings.Cut(command, "\n")
		}
		d.asked = append(d.asked, kind)
		answer := d.answer
		d.mu.Unlock()
		if answer == nil || !answer(w, r) {
			next.ServeHTTP(w, r)
		}
	})
}

// take returns what was asked since it was called last.
func (d *doorman) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	asked := d.asked
	d.asked = nil
	return asked
}

func (d *doorman) becomes(answer func(w http.ResponseWriter, r *http.Request) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = answer
}

// newWatched starts a server behind a doorman, with a commit that the client has seen.
func newWatched(t *testing.T) (*doorman, *gitserver.Server, *smarthttp.Client, string) {
	t.Helper()
	door := &doorman{}
	server, client := newServer(t, gitserver.WithMiddleware(door.wrap))
	tip := commit(t, server, "main", "1")
	require.Equal(t, tip, look(t, client))
	require.Equal(t, []string{"refs", "ls-refs"}, door.take())
	return door, server, client, tip
}

func look(t *testing.T, client *smarthttp.Client) string {
	t.Helper()
	heads, err := headsOf(t.Context(), client, repo, "main")
	require.NoError(t, err)
	return heads["main"]
}

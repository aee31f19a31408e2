package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// GitLab redirects a project that was renamed. The consumer does not follow it out of ALLOWED_DESTINATIONS.
func TestRenamedDestinations(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/mirror/one.git/info/refs":
			http.Redirect(w, r, "/mirror/new.git/info/refs", http.StatusMovedPermanently)
		case "/mirror/two.git/info/refs":
			http.Redirect(w, r, "/other/new.git/info/refs", http.StatusMovedPermanently)
		default:
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			_, _ = w.Write([]byte("0000"))
		}
	}))
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL)
	require.NoError(t, err)
	allow, err := project.ParseAllowlist("mirror/*")
	require.NoError(t, err)
	side := config.Side{BaseURL: base}

	consumer := gitServer(side, allow.AllowsPath)
	_, err = consumer.Heads(t.Context(), "mirror/one", "main")
	require.NoError(t, err)
	_, err = consumer.Heads(t.Context(), "mirror/two", "main")
	require.ErrorIs(t, err, smarthttp.ErrMovedElsewhere)
	_, err = gitServer(side, project.AllowAll().AllowsPath).Heads(t.Context(), "mirror/two", "main")
	require.NoError(t, err, "a source may be read wherever the token reads it")
}

package gitlabapi_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlabapi"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

const (
	jsonType = "application/json"
	found    = `{"id":1,"full_path":"mirror"}`
)

// serve answers every request like this, and returns a client of it.
func serve(t *testing.T, answer http.HandlerFunc) *gitlabapi.Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return client(t, server.URL)
}

func always(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("X-Request-Id", "01REQUEST")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestCaseOfPathsDoesNotCount(t *testing.T) {
	t.Parallel()
	missing, err := serve(t, always(http.StatusOK, jsonType+"; charset=utf-8", found)).MissingGroups(t.Context(), "Mirror")
	require.NoError(t, err)
	require.Empty(t, missing)
}

func TestWhatStatusesMean(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{
		400: gitlabapi.ErrRefused, 401: gitlabapi.ErrRefused, 403: gitlabapi.ErrRefused, 409: gitlabapi.ErrRefused, 422: gitlabapi.ErrRefused,
		407: httpclient.ErrProxyAuth, 408: httpclient.ErrUnavailable, 429: httpclient.ErrRateLimited,
		500: httpclient.ErrUnavailable, 502: httpclient.ErrUnavailable, 503: httpclient.ErrUnavailable, 504: httpclient.ErrUnavailable,
	} {
		answer := always(status, jsonType, `{"message":"no"}`)
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "7")
			answer(w, r)
		})
		_, err := c.MissingGroups(t.Context(), "mirror")
		for _, err := range []error{err, c.CreateGroup(t.Context(), "mirror")} {
			require.ErrorIs(t, err, want, status)
			require.ErrorContains(t, err, fmt.Sprintf(`(http status %d): {"message":"no"} (retry after 7s) (request id 01REQUEST)`, status))
			var asked interface{ RetryAfter() time.Duration }
			require.ErrorAs(t, err, &asked)
			require.Equal(t, 7*time.Second, asked.RetryAfter())
		}
	}
}

// A namespace that is a group is no reason to create none: GitLab says then what is in the way.
func TestNamespaceThatIsAGroup(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/groups/") {
			always(http.StatusNotFound, jsonType, `{"message":"404 Group Not Found"}`)(w, r)
			return
		}
		always(http.StatusOK, jsonType, `{"id":1,"full_path":"mirror","kind":"group"}`)(w, r)
	})
	missing, err := c.MissingGroups(t.Context(), "mirror")
	require.NoError(t, err)
	require.Equal(t, []string{"mirror"}, missing)
}

// A server's page says the same whatever its kind, when it is not about the request.
func TestStatusesOfProxies(t *testing.T) {
	t.Parallel()
	_, err := serve(t, always(http.StatusBadGateway, "text/html", "<html>")).MissingGroups(t.Context(), "mirror")
	require.ErrorIs(t, err, httpclient.ErrUnavailable)
	require.NotContains(t, err.Error(), "<html>")
}

// What a server says of the kind of its answer, and what is no answer, is fit to be shown, too.
func TestWordsOfTheAnswerAreFit(t *testing.T) {
	t.Parallel()
	for _, answer := range []http.HandlerFunc{
		always(http.StatusOK, "text/"+token, ""),
		always(http.StatusNotFound, "text/"+token, ""),
		always(http.StatusOK, jsonType, `{"id":`+strings.Repeat("7", 10_000)+`}`),
	} {
		_, err := serve(t, answer).MissingGroups(t.Context(), "mirror")
		require.ErrorIs(t, err, gitlabapi.ErrNotGitLab)
		require.NotContains(t, err.Error(), token)
		require.Less(t, len(err.Error()), 500)
	}
}

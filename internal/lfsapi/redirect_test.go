package lfsapi_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/lfsapi"
	"github.com/app-sre/git-partition-sync/internal/redirect"
)

// redirects lets one address redirect to another.
func (v *world) redirects(from, to string, status int) {
	v.handlers[from] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Location"] = []string{to}
		w.WriteHeader(status)
	}
}

func TestRedirectsOfDownloads(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ to, refused string }{
		"to a store":          {store + "/object?X-Amz-Signature=abc", ""},
		"within the server":   {"/object", ""},
		"to http":             {"http://store.example/object", "over https only"},
		"to http, same name":  {"http://git.example/object", "over https only"},
		"to metadata":         {"https://169.254.169.254/latest", "network segment"},
		"to this machine":     {"https://localhost/object", "this machine"},
		"with credentials":    {"https://a:b@store.example/object", "credentials in it"},
		"with ours":           {store + "/object?token=" + login.Password, "take our credentials"},
		"to no server":        {"file:///etc/passwd", "names no server"},
		"to no URL":           {"https://[", "no valid address"},
		"to nothing":          {"", "no valid address"},
		"to a long address":   {"/" + strings.Repeat("x", 9000), "an address of 9001 bytes"},
		"to itself, for ever": {git + "/start", "redirected more than 5 times"},
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				v := newWorld(content)
				v.link = map[string]any{"href": git + "/start", "header": map[string]string{"X-Secret": "header-of-the-action"}}
				v.redirects(git+"/start", test.to, status)
				client := v.client(t, git)
				file := newFile(t, nil)
				err := client.Download(t.Context(), ask(t, client, lfsapi.Download, objectOf(content)), file)
				v.checkNoCredentials(t)
				if test.refused != "" {
					require.ErrorIs(t, err, lfsapi.ErrUnsafeLink)
					require.ErrorContains(t, err, test.refused)
					require.Empty(t, v.to(store))
					return
				}
				require.NoError(t, err)
				require.Equal(t, content, contentOf(t, file))
			})
		}
	}
}

// What was for one server is not for the next, and not for the first one either when a redirect comes back to it.
func TestHeadersStayBehind(t *testing.T) {
	t.Parallel()
	v := newWorld(content)
	v.link = map[string]any{"href": git + "/start", "header": map[string]string{"X-Secret": "header-of-the-action"}}
	v.redirects(git+"/start", "/next", 302)
	v.redirects(git+"/next", store+"/start", 302)
	v.redirects(store+"/start", git+"/back", 307)
	v.redirects(git+"/back", store+"/object", 307)
	client := v.client(t, git)
	require.NoError(t, client.Download(t.Context(), ask(t, client, lfsapi.Download, objectOf(content)), newFile(t, content[:5])))
	v.checkNoCredentials(t)
	seen := map[string]request{}
	for _, r := range append(v.to(git), v.to(store)...) {
		seen[r.url] = r
		require.Equal(t, "bytes=5-26", r.header.Get("Range"))
		require.Equal(t, "identity", r.header.Get("Accept-Encoding"))
	}
	require.Len(t, seen, 5)
	for _, at := range []string{git + "/start", git + "/next"} {
		require.Equal(t, basicAuth(), seen[at].header.Get("Authorization"))
		require.Equal(t, "header-of-the-action", seen[at].header.Get("X-Secret"))
	}
	for _, at := range []string{store + "/start", git + "/back", store + "/object"} {
		require.Empty(t, seen[at].header.Get("Authorization"), at)
		require.Empty(t, seen[at].header.Get("X-Secret"), at)
	}
}

// What is sent goes nowhere else, not even at the same server.
func TestRedirectsOfUploads(t *testing.T) {
	t.Parallel()
	for _, to := range []string{store + "/object", "/object"} {
		for _, from := range []string{"/upload", "/verify"} {
			v := newWorld(content)
			v.link, v.verify = map[string]any{"href": git + "/upload"}, map[string]any{"href": git + "/verify"}
			v.redirects(git+from, to, 307)
			client := v.client(t, git)
			err := client.Upload(t.Context(), ask(t, client, lfsapi.Upload, objectOf(content)), bytes.NewReader(content))
			require.ErrorIs(t, err, lfsapi.ErrUnsafeLink)
			require.ErrorContains(t, err, "redirects what is sent")
			require.Empty(t, v.to(store))
			v.checkNoCredentials(t)
		}
	}
}

func TestRedirectsOfBatches(t *testing.T) {
	t.Parallel()
	const batch = ".git/info/lfs/objects/batch"
	for name, test := range map[string]struct {
		to      string
		status  int
		kind    error
		refused string
	}{
		"renamed":                          {"/group/renamed" + batch, 308, nil, ""},
		"renamed, moved for good":          {git + "/group/renamed" + batch, 301, nil, ""},
		"same path":                        {git + ":443/group/sub/n%C3%A4me" + batch, 307, nil, ""},
		"to a project that is not allowed": {"/group/other" + batch, 307, lfsapi.ErrMovedElsewhere, `"group/other"`},
		"to a GET":                         {"/group/renamed" + batch, 303, redirect.ErrRefused, "no LFS server"},
		"to a sign-in page":                {"/users/sign_in", 302, redirect.ErrRefused, "no LFS server"},
		"to another server":                {store + "/group/renamed" + batch, 307, redirect.ErrRefused, `another server "https://store.example"`},
		"to a subdomain":                   {"https://sub.git.example/group/renamed" + batch, 307, redirect.ErrRefused, "another server"},
		"to http":                          {"http://git.example/group/renamed" + batch, 307, redirect.ErrRefused, "another server"},
		"with credentials":                 {"https://a:b@git.example/group/renamed" + batch, 307, redirect.ErrRefused, "another server"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newWorld(content)
			v.link = map[string]any{"href": git + "/object"}
			v.redirects(git+"/group/sub/näme"+batch, test.to, test.status)
			client := v.client(t, git)
			enabled, err := client.Enabled(t.Context(), repo)
			v.checkNoCredentials(t)
			if test.kind != nil {
				require.ErrorIs(t, err, test.kind)
				require.ErrorContains(t, err, test.refused)
				require.False(t, enabled)
				return
			}
			require.NoError(t, err)
			require.True(t, enabled)
		})
	}
	below := newWorld(content) // a Git server that is not at the root of its address
	below.redirects(git+"/gitlab/group/sub/näme"+batch, "/group/renamed"+batch, 307)
	_, err := below.client(t, git+"/gitlab").Enabled(t.Context(), repo)
	require.ErrorIs(t, err, lfsapi.ErrMovedElsewhere)
	v := newWorld(content)
	v.redirects(git+"/group/sub/näme"+batch, "/group/sub/n%C3%A4me"+batch, 307)
	_, err = v.client(t, git).Enabled(t.Context(), repo)
	require.ErrorContains(t, err, "redirected more than 5 times")
}

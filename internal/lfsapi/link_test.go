package lfsapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/lfsapi"
)

var content = []byte("the content of a large file")

// Which links are followed, from which Git server.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ server, link, refused string }{
		{git, git + "/object", ""},
		{git, "https://GIT.example:443/object?x=y", ""},
		{git, "https://git.example:8443/object", ""},
		{git, store + "/object?X-Amz-Signature=abc", ""},
		{git, "https://10.1.2.3/object", ""},
		{git, "https://[fd00::1]:9000/object", ""},
		{git, "http://git.example/object", "over https only"},
		{git, "http://store.example/object", "over https only"},
		{git, "http://10.1.2.3/object", "over https only"},
		{git, "ftp://store.example/object", "over https only"},
		{git, "file:///etc/passwd", "names no server"},
		{git, "https:///object", "names no server"},
		{git, "https:object", "names no server"},
		{git, "https://:443/object", "names no server"},
		{git, "/object", "names no server"},
		{git, "", "names no server"},
		{git, "https://exa mple/", "it is no URL"},
		{git, "https://store.example/%zz", "it is no URL"},
		{git, "https://store.example/" + strings.Repeat("x", 9000), "it takes 9022 bytes"},
		{git, "https://user:pass@store.example/object", "credentials in it"},
		{git, "https://user@git.example/object", "credentials in it"},
		{git, "http://127.0.0.1/object", "this machine is not for"},
		{git, "https://127.0.0.1/object", "this machine is not for"},
		{git, "https://127.8.8.8/object", "this machine is not for"},
		{git, "https://LocalHost:8443/object", "this machine is not for"},
		{git, "https://[::1]/object", "this machine is not for"},
		{git, "https://[::ffff:127.0.0.1]/object", "this machine is not for"},
		{git, "https://169.254.169.254/latest/meta-data", "network segment"},
		{git, "https://[::ffff:169.254.169.254]/latest", "network segment"},
		{git, "https://[fe80::1%25eth0]/object", "network segment"},
		{git, "https://[fe80::1]/object", "network segment"},
		{git, "https://0.0.0.0/object", "network segment"},
		{git, "https://[::]/object", "network segment"},
		{git, "https://[::ffff:0.0.0.0]/object", "network segment"},
		{git, "https://224.0.0.1/object", "network segment"},
		{"http://git.example", "http://git.example/object", ""},
		{"http://git.example", "https://git.example/object", ""},
		{"http://git.example", "http://git.example:8080/object", "over https only"},
		{"http://127.0.0.1:3000", "http://127.0.0.1:3000/object", ""},
		{"http://127.0.0.1:3000", "http://localhost:9000/object", ""},
		{"http://127.0.0.1:3000", "http://[::1]:9000/object", ""},
		{"http://127.0.0.1:3000", "https://localhost:9000/object", ""},
		{"http://127.0.0.1:3000", "http://localhost.store.example/object", "over https only"},
		{"http://127.0.0.1:3000", "http://169.254.169.254/latest", "network segment"},
		{"http://169.254.1.1", "http://169.254.1.1/object", ""}, // as configured
	} {
		v := newWorld(content)
		v.link = map[string]any{"href": test.link}
		client := v.client(t, test.server)
		for _, op := range []lfsapi.Operation{lfsapi.Download, lfsapi.Upload} {
			transfer := ask(t, client, op, objectOf(content))
			if test.refused == "" {
				require.NoError(t, transfer.Err(), "%s from %s", test.link, test.server)
				continue
			}
			require.ErrorIs(t, transfer.Err(), lfsapi.ErrUnsafeLink, "%s from %s", test.link, test.server)
			require.ErrorContains(t, transfer.Err(), test.refused, "%s from %s", test.link, test.server)
			require.False(t, transfer.Needed())
		}
		require.Empty(t, v.to(git))
	}
}

// A link to verify is held to the same rules, before anything is sent.
func TestLinkToVerify(t *testing.T) {
	t.Parallel()
	v := newWorld(content)
	v.link, v.verify = map[string]any{"href": store + "/object"}, map[string]any{"href": "http://store.example/verify"}
	transfer := ask(t, v.client(t, git), lfsapi.Upload, objectOf(content))
	require.ErrorIs(t, transfer.Err(), lfsapi.ErrUnsafeLink)
}

// Whose credentials go where.
func TestCredentialsOfLinks(t *testing.T) {
	t.Parallel()
	own := basicAuth()
	for name, test := range map[string]struct {
		link map[string]any
		more string
		want string // the header at the server of the link
	}{
		"git server":                      {map[string]any{"href": git + "/object"}, "", own},
		"git server, other spelling":      {map[string]any{"href": "https://git.example:443/object"}, "", own},
		"git server, its own":             {map[string]any{"href": git + "/object", "header": map[string]string{"authorization": "RemoteAuth x"}}, "", "RemoteAuth x"},
		"git server, authenticated":       {map[string]any{"href": git + "/object"}, `,"authenticated":true`, ""},
		"git server, repeats ours":        {map[string]any{"href": git + "/object", "header": map[string]string{"Authorization": own}}, "", own},
		"other server":                    {map[string]any{"href": store + "/object"}, "", ""},
		"other server, not authenticated": {map[string]any{"href": store + "/object"}, `,"authenticated":false`, ""},
		"other server, its own":           {map[string]any{"href": store + "/object", "header": map[string]string{"Authorization": "RemoteAuth x"}}, "", "RemoteAuth x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newWorld(content)
			v.link, v.more = test.link, test.more
			v.handlers["https://git.example:443/object"] = v.handlers[git+"/object"]
			client := v.client(t, git)
			o := objectOf(content)
			require.NoError(t, client.Download(t.Context(), ask(t, client, lfsapi.Download, o), newFile(t, nil)))
			require.NoError(t, client.Upload(t.Context(), ask(t, client, lfsapi.Upload, o), bytes.NewReader(content)))
			got := append(append(v.to(git), v.to(git+":443")...), v.to(store)...)
			require.Len(t, got, 2)
			for _, r := range got {
				require.Equal(t, test.want, r.header.Get("Authorization"))
				require.Equal(t, "git-partition-sync", r.header.Get("User-Agent"))
			}
			require.Equal(t, string(content), got[1].body)
		})
	}
}

// A server that repeats the request's credentials in a link, as Gitea does, cannot have them sent to another one.
func TestOurCredentialsInLinks(t *testing.T) {
	t.Parallel()
	own := basicAuth()
	for name, link := range map[string]map[string]any{
		"header":          {"href": store + "/object", "header": map[string]string{"Authorization": own}},
		"another header":  {"href": store + "/object", "header": map[string]string{"X-Token": login.Password}},
		"address":         {"href": store + "/object?token=" + login.Password},
		"address, base64": {"href": store + "/" + strings.TrimPrefix(own, "Basic ")},
		"name":            {"href": "https://" + login.Password + ".example/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newWorld(content)
			v.link = link
			transfer := ask(t, v.client(t, git), lfsapi.Download, objectOf(content))
			require.ErrorIs(t, transfer.Err(), lfsapi.ErrUnsafeLink)
			require.ErrorContains(t, transfer.Err(), "take our credentials to another server")
			require.NotContains(t, transfer.Err().Error(), login.Password)
			v.checkNoCredentials(t)
		})
	}
}

func TestHeadersOfLinks(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range 33 {
		many[fmt.Sprint("X-", i)] = "x"
	}
	for name, test := range map[string]struct {
		header  map[string]string
		refused string
	}{
		"too many":       {many, "33 headers, limit 32"},
		"too large":      {map[string]string{"A": strings.Repeat("x", 5000), "B": strings.Repeat("x", 5000)}, "exceed 8192 bytes"},
		"line break":     {map[string]string{"A": "x\r\nAuthorization: y"}, "no header"},
		"in the name":    {map[string]string{"A: x\r\nB": "y"}, "no header"},
		"name of spaces": {map[string]string{"A B": "y"}, "no header"},
		"no name":        {map[string]string{"": "y"}, "no header"},
		"control":        {map[string]string{"A": "\x00"}, "no header"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newWorld(content)
			v.link = map[string]any{"href": store + "/object", "header": test.header}
			transfer := ask(t, v.client(t, git), lfsapi.Upload, objectOf(content))
			require.ErrorIs(t, transfer.Err(), lfsapi.ErrUnsafeLink)
			require.ErrorContains(t, transfer.Err(), test.refused)
		})
	}
	// What is the server's to say goes along; what is the connection's does not.
	v := newWorld(content)
	v.link = map[string]any{"href": store + "/object", "header": map[string]string{
		"x-amz-content-sha256": "UNSIGNED-PAYLOAD", "content-type": "application/x-large", "Host": "evil.example", "content-length": "3",
		"Cookie": "a=b", "Range": "bytes=0-1", "accept-encoding": "gzip", "User-Agent": "other", "Connection": "close", "Expect": "100-continue",
		"Proxy-Authorization": "x", "Upgrade": "h2c", "Trailer": "T", "TE": "trailers", "Keep-Alive": "1", "If-Range": "x",
	}}
	client := v.client(t, git)
	require.NoError(t, client.Upload(t.Context(), ask(t, client, lfsapi.Upload, objectOf(content)), bytes.NewReader(content)))
	got := v.to(store)
	require.Len(t, got, 1)
	require.Equal(t, http.Header{
		"X-Amz-Content-Sha256": {"UNSIGNED-PAYLOAD"}, "Content-Type": {"application/x-large"}, "User-Agent": {"git-partition-sync"},
		"Content-Length": {fmt.Sprint(len(content))}, "Accept-Encoding": {"gzip"}, // both are the transport's own
	}, got[0].header)
}

// GitLab and Gitea want uploads in chunks.
func TestChunkedUpload(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]int64{"chunked": -1, "gzip": int64(len(content)), "": int64(len(content))} {
		v := newWorld(content)
		v.link = map[string]any{"href": store + "/object", "header": map[string]string{"transfer-encoding": given}}
		length := int64(0)
		v.handlers[store+"/object"] = func(_ http.ResponseWriter, r *http.Request) { length = r.ContentLength }
		client := v.client(t, git)
		require.NoError(t, client.Upload(t.Context(), ask(t, client, lfsapi.Upload, objectOf(content)), bytes.NewReader(content)))
		require.Equal(t, want, length, given)
		require.Equal(t, string(content), v.to(store)[0].body)
	}
}

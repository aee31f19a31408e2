package lfsapi

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/redirect"
)

func FuzzBatchAnswer(f *testing.F) {
	const a = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	for _, answer := range []string{
		`{"transfer":"basic","objects":[{"oid":"` + a + `","size":5,"authenticated":true,"actions":{"download":{"href":"https://store.example/x?s=1","header":{"K":"v"},"expires_at":"2026-11-10T15:29:07Z","expires_in":3600}}}]}`,
		`{"objects":[{"oid":"` + a + `","size":5,"actions":{"upload":{"href":"https://git.example/x","header":{"Transfer-Encoding":"chunked"}},"verify":{"href":"http://127.0.0.1/"}}}]}`,
		`{"objects":[{"oid":"` + a + `","size":-5,"error":{"code":404,"message":"Object does not exist"}}],"hash_algo":"sha256"}`,
		`{"objects":[{"oid":"` + a + `","actions":{"download":null}}]}`,
		`{"objects":[{},{}],"transfer":"tus"}`,
		`{"objects":[{"OID":"` + a + `","Actions":{"download":{"href":"//git.example","expires_in":-1e300}}}]}`,
		`{"message":"no"}`, `[]`, ``,
	} {
		f.Add(answer)
	}
	client := New(Options{Username: "bot", Password: "s3cret-password"})
	server := &url.URL{Scheme: "https", Host: "git.example", Path: "/group/x.git" + batchPath}
	asked := []lfs.Object{{OID: a, Size: 5}}
	f.Fuzz(func(t *testing.T, answer string) {
		for _, op := range []Operation{Download, Upload} {
			transfers, err := client.parseAnswer([]byte(answer), batch{"group/x", op, server, time.Now()}, asked)
			if err != nil {
				require.ErrorIs(t, err, ErrNotLFS)
				checkText(t, err)
				continue
			}
			require.Len(t, transfers, 1)
			require.Contains(t, strings.ToLower(answer), "oid")
			checkTransfer(t, transfers[0], server, asked[0])
		}
	})
}

func checkTransfer(t *testing.T, transfer Transfer, server *url.URL, asked lfs.Object) {
	t.Helper()
	require.Equal(t, asked, transfer.Object)
	if transfer.Err() != nil {
		require.False(t, transfer.Needed())
		checkText(t, transfer.Err())
		return
	}
	require.True(t, transfer.op == Upload || transfer.link != nil)
	for _, link := range []*link{transfer.link, transfer.verify} {
		if link == nil {
			continue
		}
		require.Equal(t, "https", link.url.Scheme)
		require.NotEmpty(t, link.url.Hostname())
		require.Nil(t, link.url.User)
		require.True(t, !link.login || redirect.SameServer(server, link.url))
		require.LessOrEqual(t, len(link.header), maxHeaders)
		for _, name := range []string{"Host", "Content-Length", "Cookie", "Transfer-Encoding"} {
			require.NotContains(t, link.header, name)
		}
	}
}

// checkText holds errors to what a terminal or a UI can show as it is.
func checkText(t *testing.T, err error) {
	t.Helper()
	require.Equal(t, foreign.Line(err.Error(), 1<<20), err.Error())
	require.Less(t, len(err.Error()), 4<<10)
}

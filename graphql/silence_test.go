package graphql_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/graphql"
)

// silent is a server that never answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// dripping is a server that sends a byte now and then, and never comes to an end.
type dripping struct{ every time.Duration }

func (d dripping) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(drops{r.Context(), d.every}), Request: r}, nil
}

type drops struct {
	ctx   context.Context
	every time.Duration
}

func (d drops) Read(p []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(d.every):
		p[0] = ' '
		return 1, nil
	}
}

func TestSilentServers(t *testing.T) {
	for name, test := range map[string]struct {
		server http.RoundTripper
		after  time.Duration
		want   string
	}{
		"no answer":           {silent{}, 30 * time.Second, `query graphql server "graphql.invalid": graphql server is silent: the server has sent nothing for 30s`},
		"stops in the middle": {dripping{time.Hour}, 30 * time.Second, "read graphql server's answer: graphql server is silent: the server has sent nothing for 30s"},
		"never ends":          {dripping{10 * time.Second}, 2 * time.Minute, "graphql server is silent: no whole answer within 2m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := newClient(t, graphql.Options{URL: endpoint(t, "http://graphql.invalid/"), HTTP: &http.Client{Transport: test.server}})
				start := time.Now()
				_, err := client.Syncs(t.Context())
				require.ErrorIs(t, err, graphql.ErrSilent)
				require.ErrorContains(t, err, test.want)
				require.Equal(t, test.after, time.Since(start))
			})
		})
	}
}

package toxiproxy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/toxiproxy"
)

const size = 8 << 20

// start begins a proxy to a server that takes and sends as many bytes. During is called in the middle of each request, while its
// body is read: Toxiproxy changes a connection between two chunks, and waits for ever where none is taken.
func start(t *testing.T, during func(*toxiproxy.Proxy)) *toxiproxy.Proxy {
	t.Helper()
	running, err := toxiproxy.Start(t.Context(), toxiproxy.Options{Binary: filepath.Join("..", "..", "..", ".tools", "bin", "toxiproxy"), Log: t.Output()})
	require.NoError(t, err, "run `make tools`")
	t.Cleanup(running.Stop)
	var p *toxiproxy.Proxy
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		changed := make(chan struct{})
		go func() {
			defer close(changed)
			during(p)
		}()
		n, err := copySlowly(r.Body, changed)
		if <-changed; err != nil || n != r.ContentLength {
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(make([]byte, size))
	}))
	t.Cleanup(server.Close)
	p, err = running.Proxy("server", server.URL)
	require.NoError(t, err)
	return p
}

// copySlowly reads until the end, slowly until something has happened.
func copySlowly(r io.Reader, until <-chan struct{}) (n int64, err error) {
	for {
		select {
		case <-until:
			rest, err := io.Copy(io.Discard, r)
			return n + rest, err
		case <-time.After(time.Millisecond):
			some, err := io.CopyN(io.Discard, r, 4<<10)
			switch n += some; {
			case err == io.EOF:
				return n, nil
			case err != nil:
				return n, err
			}
		}
	}
}

// exchange returns how many bytes of the answer have come.
func exchange(ctx context.Context, p *toxiproxy.Proxy) (int64, error) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL(), bytes.NewReader(make([]byte, size)))
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return io.Copy(io.Discard, resp.Body)
}

func TestConnectionsEndInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, d := range []toxiproxy.Direction{toxiproxy.Requests, toxiproxy.Answers} {
		for _, reset := range []bool{false, true} {
			p := start(t, func(p *toxiproxy.Proxy) {
				_, err := p.Add(d, toxiproxy.CutAfter(64<<10))
				assert.NoError(t, err)
			})
			if reset {
				_, err := p.Reset()
				require.NoError(t, err)
			}
			n, err := exchange(t.Context(), p)
			require.Error(t, err)
			require.Less(t, n, int64(size))
			if d == toxiproxy.Answers {
				require.Positive(t, n)
				require.Equal(t, reset, errors.Is(err, syscall.ECONNRESET), err)
			}
		}
	}
}

func TestNothingMovesForAWhile(t *testing.T) {
	t.Parallel()
	for _, d := range []toxiproxy.Direction{toxiproxy.Requests, toxiproxy.Answers} {
		stalled, over := make(chan func() error, 1), make(chan error, 1)
		p := start(t, func(p *toxiproxy.Proxy) {
			remove, err := p.Add(d, toxiproxy.Stall())
			assert.NoError(t, err)
			stalled <- remove
		})
		go func() {
			_, err := exchange(t.Context(), p)
			over <- err
		}()
		remove := <-stalled
		select {
		case err := <-over:
			require.Fail(t, "it is over", "%v", err)
		case <-time.After(2 * time.Second): // otherwise it takes much less
		}
		require.NoError(t, remove())
		require.NoError(t, <-over)
	}
}

func TestConnectionsAreSlowAndLate(t *testing.T) {
	t.Parallel()
	for name, toxic := range map[string]toxiproxy.Toxic{"slow": toxiproxy.Slow(size / 1000), "late": toxiproxy.Late(time.Second)} {
		p := start(t, func(*toxiproxy.Proxy) {})
		_, err := p.Add(toxiproxy.Answers, toxic)
		require.NoError(t, err)
		begun := time.Now()
		n, err := exchange(t.Context(), p)
		require.NoError(t, err, name)
		require.Equal(t, int64(size), n)
		require.Greater(t, time.Since(begun), 900*time.Millisecond, name)
	}
}

func TestConnectionsAreRefused(t *testing.T) {
	t.Parallel()
	p := start(t, func(*toxiproxy.Proxy) {})
	require.NoError(t, p.Refuse())
	_, err := exchange(t.Context(), p)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.NoError(t, p.Accept())
	_, err = exchange(t.Context(), p)
	require.NoError(t, err)
}

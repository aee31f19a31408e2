package httpclient_test

import (
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

const patience = 400 * time.Millisecond

// request sends a body of size bytes, and reads the answer to its end.
func request(t *testing.T, handler http.HandlerFunc, limits httpclient.Limits, size int) (answer string, err error) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(strings.Repeat("x", size)))
	require.NoError(t, err)
	resp, err := httpclient.Do(httpclient.New(nil), req, limits)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// hanging is a handler that does not return after what it has done.
func hanging(t *testing.T, do http.HandlerFunc) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		do(w, r)
		<-t.Context().Done()
	}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	const large = 64 << 20 // more than any socket's buffers take
	idle := httpclient.Limits{Idle: patience}
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		limits  httpclient.Limits
		size    int
		want    string
	}{
		"no answer": {func(http.ResponseWriter, *http.Request) {}, idle, 0, "the server has sent nothing for 400ms"},
		"no answer to a request with a body": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		}, idle, 1000, "the server has sent nothing for 400ms"},
		"in the middle of an answer": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "begin")
			_ = http.NewResponseController(w).Flush()
		}, idle, 0, "the server has sent nothing for 400ms"},
		"in the middle of a request": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
		}, idle, large, "the server has taken nothing more of the request for 400ms"},
		"the longer limit ends, too": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		}, httpclient.Limits{Idle: patience, Answer: 2 * patience}, 1000, "the server has sent nothing for 800ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := request(t, hanging(t, tt.handler), tt.limits, tt.size)
			require.ErrorIs(t, err, httpclient.ErrSilent)
			require.EqualError(t, err, tt.want)
		})
	}
}

// Most Git servers speak HTTP/2, of which the transport has words of its own for what was ended.
func TestSilenceOverHTTP2(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"no answer": func(http.ResponseWriter, *http.Request) {},
		"in the middle of an answer": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "begin")
			_ = http.NewResponseController(w).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			protocol := make(chan string, 1)
			server := httptest.NewUnstartedServer(hanging(t, func(w http.ResponseWriter, r *http.Request) {
				protocol <- r.Proto
				handler(w, r)
			}))
			server.EnableHTTP2 = true
			server.StartTLS()
			t.Cleanup(server.Close)
			trusting := x509.NewCertPool()
			trusting.AddCert(server.Certificate())
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			require.NoError(t, err)
			resp, err := httpclient.Do(httpclient.New(trusting), req, httpclient.Limits{Idle: patience})
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				require.NoError(t, resp.Body.Close())
			}
			require.ErrorIs(t, err, httpclient.ErrSilent)
			require.EqualError(t, err, "the server has sent nothing for 400ms")
			require.Equal(t, "HTTP/2.0", <-protocol)
		})
	}
}

// A request without a body has none: some servers refuse one in chunks where they want none.
func TestNoBodyStaysNone(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, r.ContentLength, r.TransferEncoding)
	}))
	t.Cleanup(server.Close)
	for _, none := range []io.Reader{nil, http.NoBody} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, none)
		require.NoError(t, err)
		resp, err := httpclient.Do(httpclient.New(nil), req, httpclient.Limits{Idle: time.Minute})
		require.NoError(t, err)
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, "0 []", string(got))
	}
}

// What moves goes on, however long it takes in all.
func TestSlowIsNotSilent(t *testing.T) {
	t.Parallel()
	const patience = 2 * time.Second // on a busy machine, pauses get longer
	const steps, pause = 10, patience / 6
	slowly := func(do func()) {
		for range steps {
			time.Sleep(pause)
			do()
		}
	}
	drip := func(w http.ResponseWriter) {
		slowly(func() {
			_, _ = io.WriteString(w, ".")
			_ = http.NewResponseController(w).Flush()
		})
		panic(http.ErrAbortHandler) // the end, without a length
	}
	t.Run("answer", func(t *testing.T) {
		t.Parallel()
		answer, err := request(t, func(w http.ResponseWriter, _ *http.Request) { drip(w) }, httpclient.Limits{Idle: patience}, 0)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Equal(t, strings.Repeat(".", steps), answer)
	})
	t.Run("request", func(t *testing.T) {
		t.Parallel()
		const size = steps * 4 << 20
		answer, err := request(t, func(w http.ResponseWriter, r *http.Request) {
			slowly(func() { _, _ = io.CopyN(io.Discard, r.Body, size/steps) })
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "taken")
		}, httpclient.Limits{Idle: patience}, size)
		require.NoError(t, err)
		require.Equal(t, "taken", answer)
	})
	t.Run("beginning of an answer", func(t *testing.T) {
		t.Parallel()
		answer, err := request(t, func(w http.ResponseWriter, _ *http.Request) {
			for _, part := range []string{"", "whole"} {
				time.Sleep(patience * 3 / 5)
				_, _ = io.WriteString(w, part)
				_ = http.NewResponseController(w).Flush()
			}
		}, httpclient.Limits{Idle: patience}, 0)
		require.NoError(t, err)
		require.Equal(t, "whole", answer)
	})
	// A server that indexes a pack says nothing meanwhile.
	t.Run("answer to what was sent whole", func(t *testing.T) {
		t.Parallel()
		answer, err := request(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			time.Sleep(patience * 3 / 2)
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "taken")
		}, httpclient.Limits{Idle: patience, Answer: time.Minute}, 1000)
		require.NoError(t, err)
		require.Equal(t, "taken", answer)
	})
}

// Whoever waits for a request is told that it moves, in both directions.
func TestActivityIsTold(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	t.Cleanup(server.Close)
	var told atomic.Int32
	ctx := httpclient.WithActivityCallback(t.Context(), func() { told.Add(1) })
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, strings.NewReader("x"))
	require.NoError(t, err)
	resp, err := httpclient.Do(httpclient.New(nil), req, httpclient.Limits{Idle: time.Minute})
	require.NoError(t, err)
	defer resp.Body.Close()
	sent := told.Load()
	require.Positive(t, sent)
	_, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Greater(t, told.Load(), sent)
}

package httpclient_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
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

// What moves goes on, however long it takes in all.
func TestSlowIsNotSilent(t *testing.T) {
	t.Parallel()
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

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"":                              0,
		"7":                             7 * time.Second,
		" 7 ":                           7 * time.Second,
		"-7":                            0,
		"soon":                          0,
		"999999999":                     24 * time.Hour,
		"99999999999999999999":          0,
		"Mon, 02 Jan 2006 15:04:05 GMT": 0,
		"Fri, 31 Dec 2999 23:59:59 GMT": 24 * time.Hour,
	} {
		require.Equal(t, want, httpclient.RetryAfter(http.Header{"Retry-After": {value}}), "%q", value)
	}
	in := httpclient.RetryAfter(http.Header{"Retry-After": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}})
	require.InDelta(t, time.Hour, in, float64(time.Minute))
}

package service

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/config"
)

func TestProbes(t *testing.T) {
	serves := func(context.Context) error { return nil }
	gone := func(context.Context) error { return errors.New("connection refused") }
	tests := []struct {
		name              string
		temporal          func(context.Context) error
		waits             error
		started, draining bool
		status            int
		text              string
	}{
		{"starting", serves, nil, false, false, http.StatusServiceUnavailable, "starting\n"},
		{"waiting", nil, errors.New("temporal at t:7233: no such host; trying again"), false, false, http.StatusServiceUnavailable, "starting: temporal at t:7233: no such host; trying again\n"},
		{"serving", serves, errors.New("before"), true, false, http.StatusOK, "ok\n"},
		{"without Temporal", gone, nil, true, false, http.StatusServiceUnavailable, "temporal: connection refused\n"},
		{"draining", serves, nil, true, true, http.StatusServiceUnavailable, "draining: the worker was told to stop\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &health{}
			if tt.waits != nil {
				h.waitsFor(tt.waits)
			}
			if tt.started {
				h.serving.Store(&served{temporal: tt.temporal})
			}
			h.draining.Store(tt.draining)
			status, text := probe(t, h, "/readyz")
			require.Equal(t, tt.status, status)
			require.Equal(t, tt.text, text)

			status, _ = probe(t, h, "/livez")
			require.Equal(t, http.StatusOK, status, "none of this is healed by another start")
			status, _ = probe(t, h, "/")
			require.Equal(t, http.StatusNotFound, status)
		})
	}
}

func probe(t testing.TB, h http.Handler, path string) (status int, text string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

// A Temporal that does not answer at all is not waited for longer than a probe waits.
func TestReadyBoundsTheQuestion(t *testing.T) {
	h := &health{}
	h.serving.Store(&served{temporal: func(ctx context.Context) error {
		_, bounded := ctx.Deadline()
		require.True(t, bounded)
		return context.DeadlineExceeded
	}})
	require.EqualError(t, h.ready(t.Context()), "temporal: Temporal does not answer in time: see whether its server and its database are well")
}

func TestCheck(t *testing.T) {
	address := freeAddress(t)
	h := &health{}
	endpoint := config.Endpoint{Variable: "HEALTH_ADDRESS", Address: config.Address(address)}
	stop, err := h.listen(t.Context(), endpoint)
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)

	require.EqualError(t, checkReadiness(t.Context(), []string{"HEALTH_ADDRESS=" + address}), "not ready: starting")
	h.serving.Store(&served{temporal: func(context.Context) error { return nil }})
	require.NoError(t, checkReadiness(t.Context(), []string{"HEALTH_ADDRESS=" + address}))
	require.NoError(t, checkReadiness(t.Context(), []string{"HEALTH_ADDRESS=:" + port + "\n"}))
	require.NoError(t, checkReadiness(t.Context(), []string{"METRICS_SERVER_PORT=" + port}))

	_, err = h.listen(t.Context(), endpoint)
	require.ErrorContains(t, err, "HEALTH_ADDRESS: listen tcp "+address)
	stop()
	require.ErrorContains(t, checkReadiness(t.Context(), []string{"HEALTH_ADDRESS=" + address}), "connection refused")
	require.ErrorContains(t, checkReadiness(t.Context(), nil), "HEALTH_ADDRESS is not set")
	require.ErrorContains(t, checkReadiness(t.Context(), []string{"HEALTH_ADDRESS=8080"}), "HEALTH_ADDRESS: ")
}

// The page is at the address that it was asked for at, and at no other.
func TestWhereThePageIs(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("page " + r.URL.Path)) })
	h := &health{metrics: http.NotFoundHandler()}
	h.serving.Store(&served{func(context.Context) error { return nil }, page})
	for _, path := range []string{"/", "/status.json"} {
		status, text := probe(t, h.at(config.Endpoint{Variable: "HEALTH_ADDRESS"}), path)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "page "+path, text)
		status, _ = probe(t, h.at(config.Endpoint{Variable: "METRICS_SERVER_PORT"}), path)
		require.Equal(t, http.StatusNotFound, status)
	}
	for path, want := range map[string]int{"/livez": http.StatusOK, "/readyz": http.StatusOK, "/elsewhere": http.StatusNotFound} {
		status, _ := probe(t, h.at(config.Endpoint{Variable: "HEALTH_ADDRESS"}), path)
		require.Equal(t, want, status, path)
	}
	status, _ := probe(t, (&health{}).at(config.Endpoint{Variable: "HEALTH_ADDRESS"}), "/")
	require.Equal(t, http.StatusNotFound, status, "nobody has asked for it")
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

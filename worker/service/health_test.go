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
		started, draining bool
		status            int
		text              string
	}{
		{"starting", serves, false, false, http.StatusServiceUnavailable, "starting\n"},
		{"serving", serves, true, false, http.StatusOK, "ok\n"},
		{"without Temporal", gone, true, false, http.StatusServiceUnavailable, "temporal: connection refused\n"},
		{"draining", serves, true, true, http.StatusServiceUnavailable, "draining: the worker was told to stop\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &health{temporal: tt.temporal}
			h.started.Store(tt.started)
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

func probe(t *testing.T, h http.Handler, path string) (status int, text string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

// A Temporal that does not answer at all is not waited for longer than a probe waits.
func TestReadyBoundsTheQuestion(t *testing.T) {
	h := &health{temporal: func(ctx context.Context) error {
		_, bounded := ctx.Deadline()
		require.True(t, bounded)
		return context.DeadlineExceeded
	}}
	h.started.Store(true)
	require.EqualError(t, h.ready(t.Context()), "temporal: context deadline exceeded")
}

func TestCheck(t *testing.T) {
	address := freeAddress(t)
	h := &health{temporal: func(context.Context) error { return nil }}
	endpoint := config.Endpoint{Variable: "HEALTH_ADDRESS", Address: config.Address(address)}
	stop, err := h.listen(t.Context(), endpoint)
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)

	require.EqualError(t, checkReadiness(t.Context(), []string{"HEALTH_ADDRESS=" + address}), "not ready: starting")
	h.started.Store(true)
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

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

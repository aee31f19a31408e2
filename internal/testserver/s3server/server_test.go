package s3server_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/s3server"
	"github.com/app-sre/git-partition-sync/internal/testserver/s3server/s3test"
)

// helperDir, when set, makes this test binary start a server and wait to be killed.
const helperDir = "S3SERVER_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		// Standard output goes to the server too, as a file: it stays open
		// until the last of the two processes is gone.
		srv, err := s3server.Start(context.Background(), s3server.Options{
			Binary: os.Getenv("VERSITYGW"), Dir: dir, Log: os.Stdout,
		})
		if err != nil {
			panic(err)
		}
		_, _ = os.Stderr.WriteString(srv.URL())
		_ = os.Stderr.Close()
		select {}
	}
	os.Exit(m.Run())
}

func TestServerDiesWithItsParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a parent-death signal")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), helperDir+"="+t.TempDir(), "VERSITYGW="+s3test.Binary(t))
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	ready, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	url, err := io.ReadAll(ready)
	require.NoError(t, err)
	require.Contains(t, string(url), "http://127.0.0.1:")

	require.NoError(t, cmd.Process.Kill())
	_, err = io.Copy(io.Discard, output) // until the server is gone
	require.NoError(t, err)
	require.Error(t, cmd.Wait())
}

func TestStop(t *testing.T) {
	srv, err := s3server.Start(t.Context(), s3server.Options{Binary: s3test.Binary(t), Dir: t.TempDir()})
	require.NoError(t, err)
	srv.Stop()
	_, err = http.Get(srv.URL())
	require.ErrorContains(t, err, "connection refused")
	srv.Stop()
}

func TestStartFails(t *testing.T) {
	tests := []struct{ name, binary, want string }{
		{name: "no such program", binary: "/nonexistent/versitygw", want: "no such file"},
		{name: "exits at once", binary: "false", want: "exited before it was ready: exit status 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s3server.Start(t.Context(), s3server.Options{Binary: tt.binary, Dir: t.TempDir()})
			require.ErrorContains(t, err, tt.want)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s3server.Start(ctx, s3server.Options{Binary: s3test.Binary(t), Dir: t.TempDir()})
	require.ErrorIs(t, err, context.Canceled)
}

func TestAddUserTwice(t *testing.T) {
	srv := s3test.Start(t)
	err := srv.AddUser(t.Context(), srv.Producer)
	require.ErrorIs(t, err, s3server.ErrUserExists)
}

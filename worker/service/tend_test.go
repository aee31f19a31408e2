package service

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// A worker goes on looking after its folder after a failure, and when the folder was deleted.
func TestTend(t *testing.T) {
	workdir := filepath.Join(t.TempDir(), "work")
	area, err := staging.Open(t.Context(), workdir, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer area.Close()
	left := filepath.Join(workdir, area.ID(), "run")
	m, err := newMetrics("producer", "fedramp")
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		require.NoError(t, os.Mkdir(left, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(left, "object"), make([]byte, 5000), 0o600))
		then := time.Now().Add(-time.Hour) // of the bubble, whose clock begins in the past
		require.NoError(t, os.Chtimes(left, then, then))
		ctx, stop := context.WithCancel(t.Context())
		var out bytes.Buffer
		asked := 0
		s := &roleWorker{dependencies: dependencies{Common: activities.Common{Staging: area}}, log: slog.New(slog.NewTextHandler(&out, nil)), metrics: m}
		go s.maintainFolder(ctx, func(ctx context.Context, runs map[string]time.Time) ([]string, error) {
			_, bounded := ctx.Deadline()
			assert.True(t, bounded)
			if asked++; asked == 1 {
				return nil, errors.New("not connected")
			}
			return []string{"run"}, nil
		}, time.Minute)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.DirExists(t, left)
		require.Contains(t, gathered(t, m), `git_partition_sync_workdir_bytes{kind="used",role="producer"} 5000`)
		require.Regexp(t, `git_partition_sync_workdir_bytes{kind="free",role="producer"} [1-9]`, gathered(t, m))
		require.Contains(t, out.String(), "not connected")
		time.Sleep(time.Minute)
		synctest.Wait()
		require.NoDirExists(t, left)
		require.Contains(t, gathered(t, m), `git_partition_sync_workdir_bytes{kind="used",role="producer"} 0`)

		require.NoError(t, os.RemoveAll(workdir))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.FileExists(t, filepath.Join(workdir, area.ID(), "lock"))
		stop()
		synctest.Wait()
	})
}

package stack_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/staging"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

func TestStaged(t *testing.T) {
	dir := t.TempDir()
	area, err := staging.Open(t.Context(), dir, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, area.Close()) }()
	defer area.Note([]byte("at work"))()
	files, err := stack.Staged(dir)
	require.NoError(t, err)
	require.Empty(t, files)

	run, err := area.Run("run")
	require.NoError(t, err)
	require.NoError(t, run.Create("pack", func(*os.File) error { return nil }))
	files, err = stack.Staged(dir)
	require.NoError(t, err)
	folder := filepath.Join(dir, area.ID(), "run")
	require.Equal(t, []string{folder, filepath.Join(folder, "pack")}, files)
}

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDatabaseIsLocked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "producer.db")
	held, err := openDatabase(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte("being made"), 0o600))
	_, err = openDatabase(file)
	require.ErrorContains(t, err, "which another side on its own seems to use")
	require.FileExists(t, file, "it is the other one's")
	held.close()
	again, err := openDatabase(file)
	require.NoError(t, err)
	again.close()
	_, err = openDatabase(filepath.Join(t.TempDir(), "nowhere", "producer.db"))
	require.ErrorContains(t, err, "no such file")
}

// Temporal refuses a database in which tables are missing, at each start.
func TestHalfMadeDatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "producer.db")
	for _, name := range []string{file, file + "-journal", file + "-wal", file + "-shm"} {
		require.NoError(t, os.WriteFile(name, []byte("half"), 0o600))
	}
	d, err := openDatabase(file)
	require.NoError(t, err)
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		require.NoFileExists(t, file+suffix)
	}
	require.NoError(t, os.WriteFile(file, []byte("whole"), 0o600))
	require.NoError(t, d.markServed())
	d.close()
	d, err = openDatabase(file)
	require.NoError(t, err)
	require.FileExists(t, file)
	d.close()
}

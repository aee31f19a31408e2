package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDatabaseIsLocked(t *testing.T) {
	database := filepath.Join(t.TempDir(), "producer.db")
	held, err := lockDatabase(database)
	require.NoError(t, err)
	_, err = lockDatabase(database)
	require.ErrorContains(t, err, "which another side on its own seems to use")
	require.NoError(t, held.Close())
	again, err := lockDatabase(database)
	require.NoError(t, err)
	require.NoError(t, again.Close())
	_, err = lockDatabase(filepath.Join(t.TempDir(), "nowhere", "producer.db"))
	require.ErrorContains(t, err, "no such file")
}

// A key for a Temporal elsewhere is a mistake where no address says where that is.
func TestTemporalIsConfiguredWhole(t *testing.T) {
	environ := []string{
		"PRIVATE_KEY=AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX", "WORKDIR=/work",
		"GITLAB_BASE_URL=https://gitlab.example.com", "GITLAB_USERNAME=u", "GITLAB_TOKEN=t", "AWS_REGION=r", "AWS_S3_BUCKET=b",
	}
	t.Setenv("PUBLIC_KEY", "")
	t.Setenv("PRIVATE_KEY", "set")
	s, err := newSide("", environ)
	require.NoError(t, err)
	require.Empty(t, s.address)
	require.Equal(t, "/work/temporal", s.folder)
	for _, variable := range []string{"TEMPORAL_API_KEY=k", "TEMPORAL_TLS=true"} {
		_, err := newSide("", append(environ, variable))
		require.ErrorContains(t, err, "but not the TEMPORAL_ADDRESS that they are for", variable)
		s, err := newSide("", append(environ, variable, "TEMPORAL_ADDRESS=temporal.example.com:7233"))
		require.NoError(t, err)
		require.Equal(t, "temporal.example.com:7233", s.address)
	}
}

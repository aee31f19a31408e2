package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/config"
)

// sideWith has a program in the place of the Temporal CLI.
func sideWith(t *testing.T, script string) *side {
	t.Helper()
	bin := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bin, "temporal"), []byte("#!/bin/sh\n"+script), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	return &side{Standalone: config.Standalone{TemporalPort: 39171}, workDir: t.TempDir(), namespace: "default"}
}

// Whoever ends it while its Temporal starts does not find a failure.
func TestInterruptedWhileTemporalStarts(t *testing.T) {
	s := sideWith(t, `touch "$HOME/started"; exec sleep 60`)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(s.workDir, "temporal", "started")); err == nil {
				cancel()
			}
		}
	}()
	require.NoError(t, s.serve(ctx))
}

func TestTemporalDoesNotStart(t *testing.T) {
	s := sideWith(t, "exit 1")
	err := s.serve(t.Context())
	require.ErrorContains(t, err, "exited before it was ready: exit status 1")
	require.ErrorContains(t, err, `delete "`+filepath.Join(s.workDir, "temporal", ".db")+`": only the history is lost`)

	// Others may have put something into its place.
	require.NoError(t, os.RemoveAll(filepath.Join(s.workDir, "temporal")))
	require.NoError(t, os.Symlink(t.TempDir(), filepath.Join(s.workDir, "temporal")))
	require.ErrorContains(t, s.serve(t.Context()), "is not a folder")
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
	require.Equal(t, "/work", s.workDir)
	for _, variable := range []string{"TEMPORAL_API_KEY=k", "TEMPORAL_TLS=true"} {
		_, err := newSide("", append(environ, variable))
		require.ErrorContains(t, err, "but not the TEMPORAL_ADDRESS that they are for", variable)
		s, err := newSide("", append(environ, variable, "TEMPORAL_ADDRESS=temporal.example.com:7233"))
		require.NoError(t, err)
		require.Equal(t, "temporal.example.com:7233", s.address)
	}
}

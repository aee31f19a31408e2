package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The rest is what make compose-test runs on real servers.

func TestKeysAreHalvedAndStay(t *testing.T) {
	producer, consumer := t.TempDir(), t.TempDir()
	read := func(elements ...string) string {
		text, err := os.ReadFile(filepath.Join(elements...))
		require.NoError(t, err)
		return string(text)
	}
	require.NoError(t, makeKeys(producer, consumer))
	for _, there := range []string{filepath.Join(producer, "age.pub"), filepath.Join(producer, "signing.key"), filepath.Join(consumer, "signing.pub")} {
		require.FileExists(t, there)
	}
	for _, absent := range []string{filepath.Join(producer, "age.key"), filepath.Join(consumer, "signing.key")} {
		require.NoFileExists(t, absent)
	}
	before := read(consumer, "age.key")
	require.NoError(t, makeKeys(producer, consumer))
	require.Equal(t, before, read(consumer, "age.key"))
}

func TestReadSyncs(t *testing.T) {
	syncs, err := readSyncs("../syncs.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, syncs)

	tests := map[string]struct{ text, want string }{
		"subgroup":      {"syncs: [{source: {group: a/b, name: n, branch: m}, destination: {group: d, name: n, branch: m}}]", "Gitea has no subgroups"},
		"invalid name":  {"syncs: [{source: {group: a, name: n}, destination: {group: d, name: n, branch: m}}]", `branch ""`},
		"unknown field": {"syncs: [{from: {group: a}}]", "from"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "syncs.yaml")
			require.NoError(t, os.WriteFile(file, []byte(tt.text), 0o600))
			_, err := readSyncs(file)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

package devserver

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// script is a program in the place of the Temporal CLI.
func script(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "temporal")
	require.NoError(t, os.WriteFile(file, []byte("#!/bin/sh\n"+text), 0o700))
	return file
}

// interrupting ends a start as soon as the server has said something.
type interrupting struct {
	bytes.Buffer
	interrupt func()
}

func (i *interrupting) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "begins") {
		i.interrupt()
	}
	return i.Buffer.Write(p)
}

// What the server says of an end that it was told to make is no error of anybody's.
func TestWhatTheServerSaysAtItsEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	log := &interrupting{interrupt: cancel}
	_, err := Start(ctx, Options{
		Program: script(t, `trap 'echo ERROR broken off >&2; exit 0' TERM; echo begins; while :; do sleep 0.01; done`),
		Address: "127.0.0.1:1", Log: log,
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, "begins\n", log.String())
}

func TestWhatTheServerSaysWhenItFails(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	_, err := Start(t.Context(), Options{Program: script(t, "echo ERROR no room >&2; exit 1"), Address: "127.0.0.1:1", Log: &log})
	require.ErrorContains(t, err, "exited before it was ready: exit status 1")
	require.Equal(t, "ERROR no room\n", log.String())
}

// The log of a server may break off, as when nobody reads the terminal's end of a pipe any more. The server goes on.
func TestServerOutlivesItsLog(t *testing.T) {
	t.Parallel()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	require.NoError(t, log.Close())
	ended := filepath.Join(t.TempDir(), "ended")
	_, err = Start(t.Context(), Options{
		Program: script(t, `for i in 1 2 3 4 5; do echo "$i"; sleep 0.05; done; echo whole > `+ended+`; exit 1`),
		Address: "127.0.0.1:1", Log: log,
	})
	require.ErrorContains(t, err, "exited before it was ready: exit status 1")
	require.FileExists(t, ended)
}

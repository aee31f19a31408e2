package main

import (
	"context"
	"io"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/child"
)

// script is a program that has begun to run: it has printed something.
func script(t *testing.T, name, text string) program {
	t.Helper()
	output, input := io.Pipe()
	cmd := exec.Command("sh", "-c", "echo; "+text)
	cmd.Stdout = input
	p, err := child.Start(cmd)
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	_, err = output.Read(make([]byte, 1))
	require.NoError(t, err)
	return program{name, p}
}

const forever = "exec sleep 60"

func TestWait(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		waitsFor, needs string
		interrupted     bool
		want            string // "" is no error
	}{
		"it ends":                     {"exit 0", forever, false, ""},
		"it fails":                    {"exit 3", forever, false, "cycle: exit status 3"},
		"it needs nothing":            {"exit 0", "", false, ""},
		"what it needs ends":          {forever, "exit 0", false, "worker ended by itself"},
		"what it needs fails":         {forever, "exit 3", false, "worker ended by itself: exit status 3"},
		"what it needs is killed":     {forever, "kill -9 $$", false, "worker ended by itself: signal: killed"},
		"interrupted":                 {forever, forever, true, "interrupted"},
		"interrupted, does not heed ": {"trap '' TERM; while :; do sleep 0.01; done", forever, true, "interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.interrupted {
				cancel()
			}
			p := script(t, "cycle", tt.waitsFor)
			var needed []program
			if tt.needs != "" {
				needed = append(needed, script(t, "temporal", forever), script(t, "worker", tt.needs))
			}
			err := p.wait(ctx, 100*time.Millisecond, needed...)
			if tt.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, tt.want)
			}
			select {
			case <-p.Exited():
			default:
				require.Fail(t, "it still runs")
			}
		})
	}
}

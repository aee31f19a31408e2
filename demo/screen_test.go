package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/syncsfile"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

const columns = 80 // of a terminal as it is opened

// demoStates are those of the demo's own syncs, each with an update that has arrived.
func demoStates(t *testing.T, s *screen) (states []stack.State) {
	t.Helper()
	listed, err := syncsfile.Parse(syncs)
	require.NoError(t, err)
	require.NotEmpty(t, listed)
	see := func(destination string, at time.Time) {
		states = nil
		for _, sync := range listed {
			o := &object.Stored{Size: 888_888_888}
			o.Base = "0123456789012345678901234567890123456789"
			states = append(states, stack.State{Sync: sync, Source: "89abcdef", Destination: destination, Object: o})
		}
		s.observe(states, at)
	}
	see("", time.Unix(0, 0))
	see("89abcdef", time.Unix(99, 9e8))
	return states
}

func TestTableFits(t *testing.T) {
	s := &screen{arrivals: newArrivals()}
	lines := s.formatTable(demoStates(t, s))
	require.Contains(t, lines[1], "arrived in 1m39.9s")
	for _, line := range lines {
		require.Less(t, utf8.RuneCountInString(line), columns, line)
	}
}

func TestColours(t *testing.T) {
	require.Equal(t, "\x1b[32min sync\x1b[0m  a/b@main", coloured("in sync  a/b@main"))
	require.Equal(t, "\x1b[33mbehind \x1b[0m  a/b@main", coloured("behind   a/b@main"))
	require.Equal(t, "  to behind", coloured("  to behind"))
}

// What is said fits. Commands may be longer: they are pasted.
func TestGuideFits(t *testing.T) {
	var text bytes.Buffer
	require.NoError(t, guideTemplate.Execute(&text, map[string]string{
		"UI": "http://127.0.0.1:65535", "Producer": "127.0.0.1:65535", "Consumer": "127.0.0.1:65535", "Address": "127.0.0.1:65535",
		"Dir": dir, "Source": "http://127.0.0.1:65535/web/router.git", "Syncs": dir + "/syncs.yaml", "WorkerPID": "4194304",
	}))
	for line := range strings.SplitSeq(text.String(), "\n") {
		if !strings.HasPrefix(line, "  ") {
			require.LessOrEqual(t, utf8.RuneCountInString(line), columns, line)
		}
	}
	require.NotContains(t, strings.ReplaceAll(text.String(), "<no value>", ""), "{{")
}

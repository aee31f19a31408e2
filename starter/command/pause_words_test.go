package command

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/fleet"
)

func TestPausesInWords(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.Local)
	require.Equal(t, []string{
		"g/n@a until 14:05, by ann@host: moving house", "g/n@b until 2026-03-03 00:30", "g/n@c until somebody ends it",
	}, pausedLines([]fleet.Pause{
		{Destination: "g/n@a", Until: now.Add(125 * time.Minute), By: "ann@host", Reason: "moving house"},
		{Destination: "g/n@b", Until: now.Add(36*time.Hour + 30*time.Minute)}, {Destination: "g/n@c"},
	}, now))
}

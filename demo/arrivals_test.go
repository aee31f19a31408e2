package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

func TestArrivals(t *testing.T) {
	a := newArrivals()
	began := time.Unix(0, 0)
	var s stack.State
	see := func(source, destination string, seconds int) string {
		s.Source, s.Destination = source, destination
		a.observe([]stack.State{s}, began.Add(time.Duration(seconds)*time.Second))
		return a.describe(s.Sync)
	}
	require.Empty(t, see("", "", 0), "nothing is there yet")
	require.Empty(t, see("1", "", 1))
	require.Empty(t, see("1", "", 2))
	require.Equal(t, "arrived in 3s", see("1", "1", 4))
	require.Equal(t, "arrived in 3s", see("1", "1", 9))
	require.Empty(t, see("2", "1", 10), "on its way again")
	require.Empty(t, see("3", "1", 11), "and overtaken")
	require.Equal(t, "arrived in 5s", see("3", "3", 15))
}

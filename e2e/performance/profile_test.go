package performance_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// TestProfile takes profiles of both workers during a first sync of the large repository.
func TestProfile(t *testing.T) {
	if !*write { // else nothing else may be at work
		t.Parallel()
	}
	dir := *profile
	if dir == "" {
		dir = t.TempDir()
	}
	dir, err := filepath.Abs(dir)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(dir, 0o750))
	programs, builds := binaries, t.TempDir()
	require.NoError(t, programs.Build(builds, "./internal/testserver/profiledworker"))
	programs.Worker = filepath.Join(builds, "profiledworker")
	w := beginWith(t, programs, 0, "PROFILE="+dir)
	w.repository(*large)
	w.reset()
	w.system(1)
	w.requireInSync(false)
	for _, role := range stack.Roles {
		require.NoError(t, w.Workers[role].Stop())
		for _, kind := range []string{"cpu", "allocs", "block"} {
			info, err := os.Stat(filepath.Join(dir, string(role)+"."+kind+".pprof"))
			require.NoError(t, err)
			require.Positive(t, info.Size())
		}
	}
}

package scale_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

var (
	realSyncs    = flag.Int("real", 6, "how many syncs TestReal has, with real repositories")
	plannedSyncs = flag.Int("planned", 12, "how many syncs TestPlanned has, with made-up repositories")
	sharedSyncs  = flag.Int("shared", 8, "how many syncs TestWorkersShare has")
	smallSyncs   = flag.Int("small", 6, "how many small syncs TestHuge has beside the huge one")
	hugeBytes    = flag.Int64("huge", 0, "how large the huge repository of TestHuge is; 0 for one that is held up until all others are done")
	figuresFile  = flag.String("figures", "", "file that gets what was measured, as JSON")
)

var binaries stack.Binaries

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "git-partition-sync-scale-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if binaries, err = stack.FindServers("../.."); err != nil {
		return 1, err
	}
	if err := binaries.Build(dir, "./worker"); err != nil {
		return 1, err
	}
	if err := stack.Isolate(); err != nil {
		return 1, err
	}
	code = m.Run()
	return code, writeFigures(*figuresFile)
}

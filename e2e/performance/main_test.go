package performance_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

var (
	rounds  = flag.Int("rounds", 1, "how often each workload is measured, but for the largest, which are measured once")
	large   = flag.Int64("large", 300_000, "bytes of the large repository")
	huge    = flag.Int64("huge", 600_000, "bytes of the huge repository")
	many    = flag.Int("many", 4, "how many small repositories the largest set of them has")
	refs    = flag.Int("refs", 100, "how many refs the project of many refs has")
	updates = flag.Int("updates", 2, "how many updates are synced one by one")
	write   = flag.Bool("write", false, "write what was measured to "+figuresFile+" and "+documentFile+", each workload as soon as it is over")
	only    = flag.String("only", "1-commit,20,refs", "which workloads are measured, separated by commas; empty for all")
	resume  = flag.Bool("resume", false, "leave out workloads that "+figuresFile+" has of this commit, in these sizes")
	profile = flag.String("profile", "", "folder that gets profiles of both workers, of TestProfile")
)

var (
	binaries   stack.Binaries
	agePath    string // the CLI of age
	runnerPath string // what runs the tools
)

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "performance:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "git-partition-sync-performance-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if binaries, err = stack.FindServers("../.."); err != nil {
		return 1, err
	}
	if agePath, err = filepath.Abs("../../.tools/bin/age"); err != nil {
		return 1, err
	}
	if _, err := os.Stat(agePath); err != nil {
		return 1, fmt.Errorf("%w: run `make tools`", err)
	}
	if err := binaries.Build(dir, "./worker", "./internal/testserver/toolrunner"); err != nil {
		return 1, err
	}
	runnerPath = filepath.Join(dir, "toolrunner")
	if err := stack.Isolate(); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

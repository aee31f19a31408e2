package faults_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

var (
	whole = flag.Bool("whole", false, "try every cell of the matrix, not only the fast ones")
	rest  = flag.Bool("missing", false, "with -whole: only cells that testdata/matrix.json has no result of, as when a run was interrupted")
	keep  = flag.Bool("keep", false, "leave the folders of worlds, with the logs and repositories, where they are")
	write = flag.Bool("write", false, "write what was seen to testdata/matrix.json and docs/reliability.md")

	binaries stack.Binaries
	tempDir  string
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	flag.Parse()
	if tempDir, err = os.MkdirTemp("", "git-partition-sync-faults-"); err != nil {
		return 1, err
	}
	defer func() {
		if !*keep {
			err = errors.Join(err, os.RemoveAll(tempDir))
		}
	}()
	if binaries, err = stack.FindServers("../.."); err != nil {
		return 1, err
	}
	if err := binaries.Build(tempDir, "./worker", "./starter"); err != nil {
		return 1, err
	}
	if err := stack.Isolate(); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestMain lets the tests run this program: as it is, or with scripts in the place of the programs that it is, too.
func TestMain(m *testing.M) {
	if script := os.Getenv("TEST_" + strings.ToUpper(os.Args[min(1, len(os.Args)-1)])); script != "" {
		panic(unix.Exec("/bin/sh", []string{"sh", "-c", script}, os.Environ()))
	}
	if os.Getenv("TEST_MAIN") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// It is called by the name of a link, or with a name as the first argument, and by no other argument.
func TestOneProgramIsThree(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	self, err := os.Executable()
	require.NoError(t, err)
	for _, name := range []string{"standalone", "worker", "starter"} {
		require.NoError(t, os.Symlink(self, filepath.Join(bin, name)))
	}
	for command, want := range map[string]string{
		"standalone":                   "standalone: which side?",
		"standalone worker":            "worker: which side?",
		"standalone starter run":       "starter: which side?",
		"worker":                       "worker: which side?",
		"worker -role starter":         `worker: the role is "starter"`,
		"starter run":                  "starter: which side?",
		"starter worker":               `starter: unknown command "worker"`,
		"standalone -role worker":      `standalone: the role is "worker"`,
		"standalone -dry-run starter":  `standalone: unknown argument "starter": it takes -dry-run, -run-once and -role, or the commands worker and starter`,
		"standalone -run-once ruin":    `standalone: unknown argument "ruin"`,
		"standalone -role=both canary": `standalone: unknown argument "***"`,
	} {
		args := strings.Fields(command)
		cmd := exec.Command(filepath.Join(bin, args[0]), args[1:]...)
		cmd.Env = []string{"TEST_MAIN=1", "GITLAB_TOKEN=canary"}
		out, err := cmd.CombinedOutput()
		status := "exit status 1"
		if usage := strings.Contains(command, "starter run") || strings.HasPrefix(command, "starter "); usage {
			status = "exit status 2" // of the starter, for what is wrong in what it was asked
		}
		require.EqualError(t, err, status, command)
		require.Contains(t, string(out), want, command)
	}
}

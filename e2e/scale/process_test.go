package scale_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// processWith is the process of a server that this one has started, whose command line has a word.
func processWith(t testing.TB, word string) (pid int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		id, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && id != os.Getpid() && strings.Contains("\x00"+string(text), "\x00"+word+"\x00") {
			return id
		}
	}
	t.Fatalf("no process has %q in its command line", word)
	return 0
}

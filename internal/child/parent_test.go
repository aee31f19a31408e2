package child_test

import (
	"flag"
	"io"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/child"
)

var isParent = flag.Bool("parent", false, "be the process that TestDiesWithItsParent kills")

// Whoever starts a program may be killed before it can stop it.
func TestDiesWithItsParent(t *testing.T) {
	if *isParent {
		cmd := exec.Command("sh", "-c", "echo; exec sleep 60")
		cmd.Stdout = os.Stdout
		p, err := child.Start(cmd)
		require.NoError(t, err)
		<-p.Exited()
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("other systems leave programs behind")
	}
	parent := exec.Command(os.Args[0], "-test.run=^TestDiesWithItsParent$", "-parent")
	output, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	_, err = output.Read(make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, parent.Process.Kill())
	closed := make(chan struct{}) // when nobody is left to write
	go func() {
		defer close(closed)
		_, _ = io.Copy(io.Discard, output)
	}()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the program has outlived its parent")
	}
	require.Error(t, parent.Wait())
}

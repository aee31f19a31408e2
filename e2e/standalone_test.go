package e2e_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// standalone is a side that runs on its own, with nothing but the documented variables.
type standalone struct {
	sides
	environ []string
	address string // of its Temporal
}

func newStandalone(t sides, role stack.Role) standalone {
	environ := slices.DeleteFunc(withoutTemporal(t, role), func(v string) bool { return strings.HasPrefix(v, "PATH=") })
	temporal, err := filepath.Abs(t.Binaries.Temporal)
	require.NoError(t, err)
	address := freeAddress(t)
	return standalone{t, append(environ,
		"PATH="+filepath.Dir(temporal)+":"+os.Getenv("PATH"), "WORKDIR="+t.TempDir(), "STANDALONE_TEMPORAL_PORT="+portOf(t, address), "RECONCILE_SLEEP_TIME=1s",
	), address}
}

func portOf(t sides, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return port
}

// start runs it with the flags. What it prints can be read while it runs.
func (s standalone) start(flags ...string) (*exec.Cmd, *output) {
	s.Helper()
	out := new(output)
	cmd := exec.CommandContext(s.Context(), s.Binaries.Standalone, flags...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.environ, out, out
	require.NoError(s, cmd.Start())
	return cmd, out
}

// run returns when it has ended.
func (s standalone) run(flags ...string) (string, error) {
	s.Helper()
	cmd, out := s.start(flags...)
	err := cmd.Wait()
	return out.String(), err
}

type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// One cycle of each side, without any Temporal to begin with.
func TestStandaloneOnce(test *testing.T) {
	test.Parallel()
	t := begin(test)
	source, destination := "standalone/app@main", "mirror/standalone/app@main"
	configure(t, [2]string{source, destination})
	sha := commit(t, source)
	create(t, t.Destination, branch(destination).Path())

	out, err := newStandalone(t, stack.Producer).run("-dry-run=false", "-run-once=true")
	require.NoError(t, err, out)
	require.Contains(t, out, destination)
	consumer := newStandalone(t, stack.Consumer)
	out, err = consumer.run("-dry-run=false", "-run-once=true")
	require.NoError(t, err, out)
	heads, err := t.Destination.Heads(t.Context(), branch(destination).Path())
	require.NoError(t, err)
	require.Equal(t, sha, heads["main"])

	configure(t, [2]string{source, destination}, [2]string{"standalone/missing@main", "mirror/standalone/missing@main"})
	out, err = newStandalone(t, stack.Producer).run("-dry-run=false", "-run-once=true")
	require.EqualError(t, err, "exit status 1", out)
	require.Contains(t, out, "ProjectNotFound")
}

// A service that is killed goes on where it was, and ends when it is told to.
func TestStandaloneService(test *testing.T) {
	test.Parallel()
	t := begin(test)
	b := t.bucket
	source, destination := "standalone/service@main", "mirror/standalone/service@main"
	configure(t, [2]string{source, destination})
	commit(t, source)
	s := newStandalone(t, stack.Producer)
	service, out := s.start("-dry-run=false", "-run-once=false")
	require.Eventually(t, func() bool { return len(keys(t, b)) == 1 }, time.Minute, 100*time.Millisecond, out)
	require.Eventually(t, func() bool {
		status, _ := check(t, stack.Producer, []string{"starter", "status"}, "TEMPORAL_ADDRESS="+s.address)
		return regexp.MustCompile(`(?m)^in sync .*  ` + destination + `$`).MatchString(status)
	}, time.Minute, 100*time.Millisecond, "its Temporal can be asked")
	require.NoError(t, service.Process.Kill())
	_ = service.Wait()

	commit(t, source)
	service, out = s.start("-dry-run=false", "-run-once=false")
	require.Eventually(t, func() bool { return len(keys(t, b)) == 2 }, 2*time.Minute, 100*time.Millisecond, out)
	require.NotContains(t, out.String(), "triggered", "the schedule says when")
	second := standalone{t, append(slices.Clone(s.environ), "STANDALONE_TEMPORAL_PORT="+portOf(t, freeAddress(t))), ""}
	refused, err := second.run("-dry-run=false", "-run-once=false")
	require.EqualError(t, err, "exit status 1", "of two on one work directory the second is refused")
	require.Contains(t, refused, "which another side on its own seems to use")

	// What is paused stays paused, however often it is started.
	schedule := func(command string) string {
		said, _ := check(t, stack.Producer, []string{"starter", "schedule", command}, "TEMPORAL_ADDRESS="+s.address)
		return said
	}
	require.Contains(t, schedule("pause"), "is paused")
	require.NoError(t, service.Process.Signal(syscall.SIGTERM))
	require.NoError(t, service.Wait(), out)
	service, out = s.start("-dry-run=false", "-run-once=false")
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "is scheduled every 1s") }, time.Minute, 100*time.Millisecond)
	require.Contains(t, schedule("describe"), "paused: ")
	require.NoError(t, service.Process.Signal(syscall.SIGTERM))
	require.NoError(t, service.Wait(), out)
	listener, err := net.Listen("tcp", s.address)
	require.NoError(t, err, "nothing is left")
	require.NoError(t, listener.Close())
}

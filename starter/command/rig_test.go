package command

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// asStarter has the tests' program be the starter, as a process of its own: with a terminal, signals and an exit code.
const asStarter = "STARTER_OF_THE_TEST"

// hanging is a starter that Ctrl-C does not end.
const hanging = "hanging"

func TestMain(m *testing.M) {
	switch os.Getenv(asStarter) {
	case "":
	case hanging:
		ctx, stop := interruptible()
		defer stop()
		fmt.Println("waits")
		<-ctx.Done()
		fmt.Println("interrupted")
		time.Sleep(time.Hour)
	default:
		os.Exit(Main(os.Args))
	}
	code := m.Run()
	if server.temporal != nil {
		_ = server.temporal.Stop()
	}
	os.Exit(code)
}

// server is one Temporal for all tests that need a real one. Each has a namespace of its own.
var server struct {
	once     sync.Once
	temporal *testsuite.DevServer
	err      error
}

// namespaces are those of the tests, by their names.
var namespaces = []string{"misspelt", "unanswered", "no-worker", "timeout", "live", "lines", "words", "schedule", "waits", "complete", "failures", "second", "halfway", "watch", "several"}

// temporalOf is a client of a test's namespace.
func temporalOf(t *testing.T, namespace string) client.Client {
	t.Helper()
	server.once.Do(func() {
		root, err := filepath.Abs("../..")
		require.NoError(t, err)
		binaries, err := stack.FindServers(root)
		require.NoError(t, err)
		var args []string
		for _, name := range namespaces {
			args = append(args, "--namespace", name)
		}
		server.temporal, server.err = testsuite.StartDevServer(t.Context(), testsuite.DevServerOptions{
			ExistingPath: binaries.Temporal, ExtraArgs: args, Stdout: io.Discard, Stderr: io.Discard,
		})
	})
	require.NoError(t, server.err)
	c, err := client.Dial(client.Options{
		HostPort: server.temporal.FrontendHostPort(), Namespace: namespace, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// cycleOf has a worker of the consumer's side whose cycles do as told.
func cycleOf(t *testing.T, c client.Client, parent func(workflow.Context, contract.CycleInput) (contract.Report, error), child any, steps map[string]any) {
	t.Helper()
	for _, queue := range []string{contract.Consumer.TaskQueue, contract.ScanQueue(contract.Consumer.TaskQueue)} {
		w := worker.New(c, queue, worker.Options{})
		w.RegisterWorkflowWithOptions(parent, workflow.RegisterOptions{Name: contract.Consumer.Parent})
		if child != nil {
			w.RegisterWorkflowWithOptions(child, workflow.RegisterOptions{Name: contract.Consumer.Child})
		}
		for name, step := range steps {
			w.RegisterActivityWithOptions(step, activity.RegisterOptions{Name: name})
		}
		require.NoError(t, w.Start())
		t.Cleanup(w.Stop)
	}
}

// process is the starter at work.
type process struct {
	*testing.T
	cmd      *exec.Cmd
	out, err shared // on a terminal, out has both
	ended    chan error
}

// shared is written by one and read by another.
type shared struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func starterCommand(t *testing.T, namespace string, args ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program, args...)
	cmd.Env = []string{
		asStarter + "=1", "SYNC_ROLE=consumer", "TEMPORAL_ADDRESS=" + server.temporal.FrontendHostPort(), "TEMPORAL_NAMESPACE=" + namespace,
		"TERM=xterm", "HOME=" + t.TempDir(), "TZ=UTC",
	}
	return cmd
}

// start starts the starter without a terminal.
func start(t *testing.T, namespace string, args ...string) *process {
	t.Helper()
	return startWith(t, nil, namespace, args...)
}

// startWith starts it with further variables.
func startWith(t *testing.T, environ []string, namespace string, args ...string) *process {
	t.Helper()
	p := &process{T: t, cmd: starterCommand(t, namespace, args...), ended: make(chan error, 1)}
	p.cmd.Env = append(p.cmd.Env, environ...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	require.NoError(t, p.cmd.Start())
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// startAt starts it at a terminal of that size, with further variables.
func startAt(t *testing.T, columns, rows uint16, environ []string, namespace string, args ...string) *process {
	t.Helper()
	p := &process{T: t, cmd: starterCommand(t, namespace, args...), ended: make(chan error, 1)}
	p.cmd.Env = append(p.cmd.Env, environ...)
	terminal, err := pty.StartWithSize(p.cmd, &pty.Winsize{Cols: columns, Rows: rows})
	require.NoError(t, err)
	go func() {
		_, _ = io.Copy(&p.out, terminal) // ends with an error when the other end is closed
		p.ended <- p.cmd.Wait()
		_ = terminal.Close()
	}()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

func (p *process) await(of *shared, text string) {
	p.Helper()
	require.Eventually(p, func() bool { return strings.Contains(of.String(), text) }, time.Minute, 20*time.Millisecond, "%q in %s%s", text, &p.out, &p.err)
}

// interrupt is Ctrl-C.
func (p *process) interrupt() {
	p.Helper()
	require.NoError(p, p.cmd.Process.Signal(syscall.SIGINT))
}

// exit waits for its end, and returns the exit code.
func (p *process) exit() int {
	p.Helper()
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		require.FailNow(p, "it has not ended", "%s%s", &p.out, &p.err)
	}
	return p.cmd.ProcessState.ExitCode()
}

const (
	waitLong  = time.Minute
	waitShort = 20 * time.Millisecond
)

package e2e_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// gate holds up pushes to a destination repository.
type gate struct{ reached, open string }

func closeGate(t sides, repo string) gate {
	t.Helper()
	dir := t.TempDir()
	g := gate{reached: filepath.Join(dir, "reached"), open: filepath.Join(dir, "open")}
	// The hook gives up with the test's directory: a test that fails leaves no process behind.
	hook(t, repo, "touch "+g.reached+"; until test -e "+g.open+"; do test -d "+dir+" || exit 1; sleep 0.02; done")
	return g
}

func (g gate) await(t testing.TB) {
	t.Helper()
	require.Eventually(t, func() bool { _, err := os.Stat(g.reached); return err == nil }, time.Minute, 10*time.Millisecond)
}

func (g gate) pass(t testing.TB) {
	t.Helper()
	require.NoError(t, os.WriteFile(g.open, nil, 0o600))
}

// startCycle runs a cycle of the consumer in the background.
func startCycle(t sides) (wait func() (string, error)) {
	t.Helper()
	return startCycleOf(t, stack.Consumer)
}

func startCycleOf(t sides, role stack.Role) (wait func() (string, error)) {
	t.Helper()
	var out string
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		out, err = t.Starter(t.Context(), role, "-run-once")
	}()
	return func() (string, error) { <-done; return out, err }
}

// Nobody tells the server that a worker is gone: it misses its heartbeats (30 s), and the run starts over on the next worker,
// which finds nothing of it.
func TestKilledWorkerLeavesNothing(test *testing.T) {
	test.Parallel()
	t := begin(test)
	upload(t, "killed")

	gate := closeGate(t, "mirror/killed/app")
	wait := startCycle(t)
	gate.await(t)
	require.NotEmpty(t, staged(t, stack.Consumer))
	t.Workers[stack.Consumer].Kill()
	require.NotEmpty(t, staged(t, stack.Consumer), "nobody was left to clean up")
	gate.pass(t)

	require.NoError(t, t.StartWorker(t.Context(), stack.Consumer))
	require.Empty(t, staged(t, stack.Consumer))
	out, err := wait()
	require.NoError(t, err, out)
	requireInSync(t, 1)
	require.Empty(t, staged(t, stack.Consumer))
}

func TestStoppedWorkerDrains(test *testing.T) {
	test.Parallel()
	t := begin(test)
	upload(t, "drained")

	gate := closeGate(t, "mirror/drained/app")
	wait := startCycle(t)
	gate.await(t)
	worker := t.Workers[stack.Consumer]
	require.NoError(t, syscall.Kill(worker.PID(), syscall.SIGTERM))
	gate.pass(t)
	require.NoError(t, worker.Err())
	require.Empty(t, staged(t, stack.Consumer))
	requireInSync(t, 1)

	require.NoError(t, t.StartWorker(t.Context(), stack.Consumer))
	out, err := wait()
	require.NoError(t, err, out)
}

func TestConfigurationIsReportedWhole(t *testing.T) {
	const secret = "hunter2"
	tests := map[string]struct {
		role    stack.Role
		environ []string
		want    []string
	}{
		"producer without any": {stack.Producer, nil, []string{
			"AWS_REGION is not set", "AWS_S3_BUCKET is not set", "GITLAB_BASE_URL is not set", "GITLAB_USERNAME is not set",
			"GITLAB_TOKEN is not set", "neither GRAPHQL_SERVER nor SYNCS_FILE is set", "PUBLIC_KEY is not set",
		}},
		"consumer without any": {stack.Consumer, nil, []string{
			"AWS_REGION is not set", "AWS_S3_BUCKET is not set", "GITLAB_BASE_URL is not set", "GITLAB_USERNAME is not set",
			"GITLAB_TOKEN is not set", "PRIVATE_KEY is not set",
		}},
		"secrets in the wrong places": {stack.Consumer, []string{
			"GITLAB_BASE_URL=https://bot:" + secret + "@gitlab.example", "GITLAB_TOKEN=" + secret, "AWS_SECRET_ACCESS_KEY=" + secret,
			"PRIVATE_KEY=" + secret, "DRAIN_TIMEOUT=" + secret,
		}, []string{"GITLAB_BASE_URL: there are credentials in the URL", "PRIVATE_KEY: ", "AWS_ACCESS_KEY_ID", "DRAIN_TIMEOUT"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), filepath.Join(binDir, "worker"), "-role", string(tt.role))
			cmd.Env = append([]string{"HOME=" + t.TempDir()}, tt.environ...)
			out, err := cmd.CombinedOutput()
			require.Error(t, err)
			for _, want := range tt.want {
				require.Contains(t, string(out), want)
			}
			require.NotContains(t, string(out), secret)
		})
	}
}

func TestRecoverWithStockTools(test *testing.T) {
	test.Parallel()
	t := begin(test)
	configure(t, [2]string{"recover/app@main", "mirror/recover/app@other"})
	sha := commit(t, "recover/app@main")
	cycle(t, stack.Producer)

	b, err := t.Bucket(t.Context(), stack.Consumer)
	require.NoError(t, err)
	all := keys(t, b)
	require.Len(t, all, 1)
	archive, err := age.Decrypt(bytes.NewReader(get(t, b, all[0])), t.Identity)
	require.NoError(t, err)
	dir := t.TempDir()
	tar := exec.Command("tar", "x")
	tar.Dir, tar.Stdin = dir, archive
	out, err := tar.CombinedOutput()
	require.NoError(t, err, string(out))
	git := exec.Command("sh", "-c", "git clone --quiet repository.bundle clone && git -C clone rev-parse HEAD && git -C clone branch --show-current")
	git.Dir = dir
	out, err = git.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, sha+"\nother\n", string(out))
}

package performance_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/s3server"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// tools are the processes of stock tools, one after the other in one folder. Their secrets come by the environment or by standard input:
// every local process can read a command line.
type tools struct {
	*world
	role stack.Role // whose Git server they use
	dir  string
	used time.Duration
	most int64 // bytes of memory of the largest

	requests  *json.Encoder // to the runner
	responses *json.Decoder
}

// response is the runner's.
type response struct {
	Output, Error string
	CPU           time.Duration `json:"cpu_nanoseconds"`
	Peak          int64         `json:"peak_bytes"`
}

func (w *world) newTools(role stack.Role) *tools {
	w.Helper()
	t := &tools{world: w, role: role, dir: w.TempDir()}
	runner := exec.CommandContext(w.Context(), runnerPath)
	requests, err := runner.StdinPipe()
	require.NoError(w, err)
	responses, err := runner.StdoutPipe()
	require.NoError(w, err)
	require.NoError(w, runner.Start())
	w.Cleanup(func() { _ = runner.Wait() }) // it ends with the test's context
	t.requests, t.responses = json.NewEncoder(requests), json.NewDecoder(responses)
	return t
}

func (t *tools) cpu(testing.TB) time.Duration { return t.used }
func (t *tools) peak(testing.TB) int64        { return t.most }

// run runs a program in the folder, with what it reads.
func (t *tools) run(input, name string, args ...string) {
	t.Helper()
	request := map[string]any{"dir": t.dir, "environ": t.environ(), "args": append([]string{name}, args...), "input": input}
	require.NoError(t, t.requests.Encode(request))
	var r response
	require.NoError(t, t.responses.Decode(&r))
	require.Empty(t, r.Error, "%s %s: %s", name, args, r.Output)
	t.used += r.CPU
	t.most = max(t.most, r.Peak)
}

func (t *tools) environ() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.dir, "TMPDIR=" + t.dir, "LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0",
		"GIT_CONFIG_COUNT=3",
		"GIT_CONFIG_KEY_0=http.extraHeader", "GIT_CONFIG_VALUE_0=Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(t.login())),
		"GIT_CONFIG_KEY_1=core.fsync", "GIT_CONFIG_VALUE_1=none", // as the servers' here
		"GIT_CONFIG_KEY_2=safe.directory", "GIT_CONFIG_VALUE_2=*",
	}
}

// login is that of the Git server.
func (t *tools) login() string {
	server := t.Source
	if t.role == stack.Consumer {
		server = t.Destination
	}
	return server.Credentials.User + ":" + server.Credentials.Password
}

// url is a project's at the Git server.
func (t *tools) url(path string) string { return t.gitURL[t.role] + "/" + path + ".git" }

// curl makes a request, with a secret of the form user:password.
func (t *tools) curl(login string, args ...string) {
	t.Helper()
	common := []string{"--silent", "--show-error", "--fail", "--config", "-"}
	t.run(`user = "`+login+`"`, "curl", append(common, args...)...)
}

// bucket makes a request to the bucket.
func (t *tools) bucket(key string, args ...string) {
	t.Helper()
	signed := []string{"--aws-sigv4", "aws:amz:" + s3server.Region + ":s3", "--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"}
	login := t.S3.Root.AccessKey + ":" + t.S3.Root.SecretKey
	t.curl(login, append(append(signed, args...), t.bucketURL+"/"+plainBucket+"/"+key)...)
}

func (t *tools) put(key, file string) { t.Helper(); t.bucket(key, "--upload-file", file) }
func (t *tools) get(key, file string) { t.Helper(); t.bucket(key, "--output", file) }

// remove removes what a step does not need any more.
func (t *tools) remove(names ...string) {
	t.Helper()
	t.run("", "rm", append([]string{"-rf"}, names...)...)
}

package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// nowhere is an address at which nothing listens.
const nowhere = "http://127.0.0.1:1"

// mishap makes a step of a side fail.
type mishap struct {
	step    string
	role    stack.Role
	environ []string    // of the worker
	before  func(sides) // undone by the test's cleanup
	says    string
}

func mishaps(t testing.TB) []mishap {
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	signing, verify, err := sign.Generate()
	require.NoError(t, err)
	return []mishap{
		{"PlanUploads", stack.Producer, []string{"GRAPHQL_PASSWORD=" + rand.Text()}, nil, "GraphQLAuthFailed"},
		{"PlanUploads", stack.Producer, []string{"GRAPHQL_SERVER=" + nowhere}, nil, "nothing listens there"},
		{"PlanUploads", stack.Producer, []string{"AWS_SECRET_ACCESS_KEY=" + rand.Text()}, nil, "BucketAccessDenied"},
		{"Clone", stack.Producer, []string{"GITLAB_TOKEN=" + rand.Text()}, nil, "GitAuthFailed"},
		{"Upload", stack.Producer, nil, readOnlyBucket, "BucketAccessDenied"},
		{"PlanPushes", stack.Consumer, []string{"AWS_SECRET_ACCESS_KEY=" + rand.Text()}, nil, "BucketAccessDenied"},
		{"Download", stack.Consumer, []string{"GITLAB_TOKEN=" + rand.Text()}, nil, "GitAuthFailed"},
		{"Decrypt", stack.Consumer, []string{"PRIVATE_KEY=" + identity.String()}, nil, "WrongKey"},
		{"Decrypt", stack.Consumer, []string{"VERIFY_KEYS=" + verify, "SIGNING_KEY=" + signing}, nil, "BadSignature"},
		{"Push", stack.Consumer, nil, refusingHook("env >&2"), "HTTP_AUTHORIZATION=Basic ***"},
		{"Push", stack.Consumer, nil, refusingHook(`echo "$HTTP_AUTHORIZATION" | cut -c7- | base64 -d | fold -w 5 >&2`), "***"},
		{"Push", stack.Consumer, nil, refusingHook(`echo "$HTTP_AUTHORIZATION" | sed 's/./&\r/g' >&2`), "***"},
	}
}

// readOnlyBucket lets the producer only read, as a wrong policy does.
func readOnlyBucket(t sides) {
	t.Helper()
	producer, consumer := string(stack.Producer), string(stack.Consumer)
	t.Cleanup(func() { require.NoError(t, t.S3.Grant(context.Background(), stack.BucketName, producer, consumer)) })
	require.NoError(t, t.S3.Grant(t.Context(), stack.BucketName, consumer, producer))
}

// refusingHook tells what it knows of the request, and refuses it.
func refusingHook(tell string) func(sides) {
	return func(t sides) {
		t.Helper()
		hook(t, "mirror/secret/app", tell+"; exit 1")
	}
}

// The secrets of both workers are nowhere but in their environments, whatever fails.
func TestSecretsStayInside(test *testing.T) {
	test.Parallel()
	t := begin(test)
	b := t.bucket
	c := newCanaries(t)
	for _, role := range stack.Roles {
		c.learn(t.WorkerEnviron(role))
	}
	configure(t, [2]string{"secret/app@main", "mirror/secret/app@main"})
	commit(t, "secret/app@main")
	create(t, t.Destination, "mirror/secret/app")
	c.search("starter", "producer", []byte(cycle(t, stack.Producer)))
	gate := closeGate(t, "mirror/secret/app")
	wait := startCycle(t)
	gate.await(t)
	c.searchFiles("staging", t.WorkDir(stack.Consumer))
	gate.pass(t)
	out, err := wait()
	require.NoError(t, err, out)
	c.search("starter", "consumer", []byte(out))

	for _, m := range mishaps(t) {
		commit(t, "secret/app@main") // what was refused before is tried again for what is new
		if m.role == stack.Consumer {
			cycle(t, stack.Producer)
		}
		t.run(m.step+" "+m.says, func(t sides) { c.suffer(t, m) })
	}

	c.searchFiles("logs", filepath.Join(t.Dir(), "logs"))
	c.searchFiles("bucket", filepath.Join(t.Dir(), "s3", "data"))
	c.searchFiles("bucket", filepath.Join(t.Dir(), "s3", "metadata"))
	for _, key := range keys(t, b) {
		plaintext, err := age.Decrypt(bytes.NewReader(get(t, b, key)), t.Identity)
		require.NoError(t, err)
		content, err := io.ReadAll(plaintext)
		require.NoError(t, err)
		decoded, _ := base64.StdEncoding.DecodeString(key)
		c.search("plaintext", key, append(content, decoded...))
	}
	for _, role := range stack.Roles {
		c.searchHistories(role)
	}
	databases, err := filepath.Glob(filepath.Join(t.Dir(), "temporal.db*"))
	require.NoError(t, err)
	for _, file := range databases { // what is in no history: heartbeats, retries
		c.searchFiles("database", file)
	}
	for _, place := range []string{"starter", "staging", "logs", "bucket", "plaintext", "history", "database", "arguments", "metrics"} {
		require.Positive(t, c.places[place], "nothing was searched in: %s", place)
	}
	t.Log("bytes searched:", c.places)
}

// suffer runs a cycle that fails in a step.
func (c *canaries) suffer(t sides, m mishap) {
	t.Helper()
	restart := func(environ ...string) {
		require.NoError(t, t.Workers[m.role].Stop())
		require.NoError(t, t.StartWorker(t.Context(), m.role, environ...))
	}
	c.learn(m.environ)
	if m.before != nil {
		m.before(t)
	}
	metrics := freeAddress(t)
	restart(append([]string{"HEALTH_ADDRESS=" + metrics}, m.environ...)...)
	defer restart()
	if runtime.GOOS == "linux" {
		c.searchArguments(m.role)
	}
	out := failingCycle(t, m.role)
	require.Contains(t, out, m.says)
	c.search("starter", m.step, []byte(out))
	c.search("metrics", m.step, []byte(scrape(t, metrics)))
}

// What looks for secrets finds them.
func TestCanariesAreFound(t *testing.T) {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, nowhere, nil)
	require.NoError(t, err)
	secret := rand.Text()
	for _, user := range []string{"", "u", "us", "use"} {
		request.SetBasicAuth(user, secret)
		found := 0
		for _, text := range spellings(secret) {
			if bytes.Contains([]byte(request.Header.Get("Authorization")), text) {
				found++
			}
		}
		require.Equal(t, 1, found, "user %q", user)
	}
}

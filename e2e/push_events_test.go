package e2e_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

const hookToken = "an-e2e-token-of-many-characters"

var hookKey = []byte("0123456789abcdef0123456789abcdef")

// deliver posts a delivery of GitLab's, and returns the status and the answer.
func deliver(t sides, address, project, ref string, prove func(http.Header, []byte)) (int, string) {
	t.Helper()
	body := fmt.Appendf(nil, `{"object_kind": "push", "event_name": "push", "ref": %q, "project": {"path_with_namespace": %q}}`, ref, project)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/", bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	prove(request.Header, body)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(text)
}

func mac(key, text []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(text)
	return m.Sum(nil)
}

func byToken(h http.Header, _ []byte) { h.Set("X-Gitlab-Token", hookToken) }

func bySignature(h http.Header, body []byte) {
	id, at := "msg_1", strconv.FormatInt(time.Now().Unix(), 10)
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", at)
	h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac(hookKey, append([]byte(id+"."+at+"."), body...))))
}

// runsOf counts the runs of a destination's child.
func runsOf(t sides, destination string) int {
	t.Helper()
	id := contract.Producer.ChildID(branch(destination))
	answer, err := t.Temporal.Clients[stack.Producer].CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: string(stack.Producer), Query: fmt.Sprintf("WorkflowId = %q", id),
	})
	require.NoError(t, err)
	return int(answer.GetCount())
}

// A push is in the bucket moments after its delivery, and a burst of them is few syncs. Without a schedule, or while it is
// paused, deliveries do nothing.
func TestPushEvents(test *testing.T) {
	test.Parallel()
	t := begin(test)
	address, metrics := freeAddress(t), freeAddress(t)
	require.NoError(t, t.Workers[stack.Producer].Stop())
	require.NoError(t, t.StartWorker(t.Context(), stack.Producer, "HEALTH_ADDRESS="+metrics, "WEBHOOK_ADDRESS="+address,
		"WEBHOOK_SECRETS="+hookToken+",whsec_"+base64.StdEncoding.EncodeToString(hookKey)))
	defer restartWorkers(t) // the others take no deliveries
	const source, destination = "hooks/app@main", "mirror/hooks/app@main"
	configure(t, [2]string{source, destination}, [2]string{"hooks/other@main", "mirror/hooks/other@main"})
	commit(t, source)
	commit(t, "hooks/other@main")
	status, answer := deliver(t, address, "hooks/app", "refs/heads/main", byToken)
	require.Equal(t, http.StatusAccepted, status, answer)
	idle := func() bool {
		_, err := t.Temporal.Clients[stack.Producer].DescribeWorkflowExecution(t.Context(), contract.PushEventsID, "")
		require.NoError(t, err)
		return t.Temporal.Clients[stack.Producer].GetWorkflow(t.Context(), contract.PushEventsID, "").Get(t.Context(), nil) == nil
	}
	require.True(t, idle())
	require.Empty(t, keys(t, t.bucket), "no cycles are scheduled")

	schedule(t, stack.Producer, "24h")
	arrived := func(n int) {
		t.Helper()
		require.Eventually(t, func() bool { return len(keys(t, t.bucket)) == n }, 30*time.Second, 10*time.Millisecond)
	}
	arrived(2)

	for i, prove := range []func(http.Header, []byte){byToken, bySignature, func(h http.Header, body []byte) {
		h.Set("X-Gitea-Signature", hex.EncodeToString(mac([]byte(hookToken), body)))
	}} {
		commit(t, source)
		start := time.Now()
		status, answer := deliver(t, address, "Hooks/App", "refs/heads/main", prove)
		require.Equal(t, http.StatusAccepted, status, answer)
		require.Contains(t, answer, "its syncs are looked at")
		arrived(3 + i)
		t.Logf("delivery to object: %s", time.Since(start))
	}
	require.Equal(t, 1, runsOf(t, "mirror/hooks/other@main"), "only what was pushed to is looked at")

	for _, unheard := range []struct {
		project, ref string
		prove        func(http.Header, []byte)
		status       int
	}{
		{"hooks/app", "refs/heads/dev", byToken, http.StatusAccepted},
		{"hooks/unknown", "refs/heads/main", byToken, http.StatusAccepted},
		{"hooks/app", "refs/heads/main", func(http.Header, []byte) {}, http.StatusUnauthorized},
	} {
		status, answer := deliver(t, address, unheard.project, unheard.ref, unheard.prove)
		require.Equal(t, unheard.status, status)
		require.NotContains(t, answer, "looked at")
	}

	require.True(t, idle())
	before := runsOf(t, destination)
	commit(t, source)
	var senders sync.WaitGroup
	for range 100 {
		senders.Go(func() {
			if status, answer := deliver(t, address, "hooks/app", "refs/heads/main", byToken); status != http.StatusAccepted {
				t.Errorf("%d %s", status, answer)
			}
		})
	}
	senders.Wait()
	arrived(6)
	require.True(t, idle())
	require.Eventually(t, func() bool { return runsOf(t, destination) > before }, 10*time.Second, 100*time.Millisecond) // the list of runs is late
	require.LessOrEqual(t, runsOf(t, destination)-before, 2, "one that ran, and one after it")

	starter(t, stack.Producer, "schedule", "pause")
	commit(t, source)
	status, answer = deliver(t, address, "hooks/app", "refs/heads/main", byToken)
	require.Equal(t, http.StatusAccepted, status, answer)
	require.True(t, idle())
	require.Len(t, keys(t, t.bucket), 6)
	page := scrape(t, metrics)
	for _, want := range []string{
		`git_partition_sync_webhook_deliveries_total{outcome="accepted",role="producer"} 105`,
		`git_partition_sync_webhook_deliveries_total{outcome="not_configured",role="producer"} 2`,
		`git_partition_sync_webhook_deliveries_total{outcome="unauthorized",role="producer"} 1`,
		`git_partition_sync_push_events_dropped_total{[^}]*reason="paused",[^}]*} 2`,
	} {
		require.Regexp(t, "(?m)^"+want+"$", page)
	}
	text, err := os.ReadFile(filepath.Join(t.Dir(), "logs", "producer-worker.log"))
	require.NoError(t, err)
	log := string(text)
	for _, secret := range []string{hookToken, base64.StdEncoding.EncodeToString(hookKey)} {
		require.NotContains(t, log, secret)
	}
	require.NotContains(t, log, "hooks/unknown")
}

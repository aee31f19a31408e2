package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/internal/notify"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// told is a receiver of notifications.
type told struct {
	mu       sync.Mutex
	messages []notify.Message
	broken   bool
}

func (r *told) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text, _ := io.ReadAll(q.Body)
	var m notify.Message
	switch {
	case r.broken: // as hostile as can be: it says what it was sent
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, q.URL.String()+" "+q.Header.Get("Authorization"))
	case json.Unmarshal(text, &m) != nil:
		w.WriteHeader(http.StatusUnprocessableEntity)
	default:
		r.messages = append(r.messages, m)
	}
}

func (r *told) breakDown(broken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = broken
}

// take returns what has changed since it was called last, a line for each change, and a separator between messages.
func (r *told) take() (lines []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, m := range r.messages {
		if i > 0 {
			lines = append(lines, "--")
		}
		for _, c := range m.Changes {
			lines = append(lines, m.Role+" "+c.Change+" "+c.Destination+" "+c.Kind)
		}
	}
	r.messages = nil
	return lines
}

// A sync fails: one cycle fails, and people are told once. The cycles after that complete, also on another worker, until it is
// repaired, which people are told once.
func TestFailureIsToldOnce(test *testing.T) {
	test.Parallel()
	t := begin(test)
	receiver := &told{}
	server := httptest.NewServer(receiver)
	t.Cleanup(server.Close)
	const token = "a-token-that-is-only-in-the-url"
	to := []string{"NOTIFY_URL=" + strings.Replace(server.URL, "://", "://bot:a-word-in-the-url@", 1) + "/hooks/" + token, "TEMPORAL_UI_URL=https://temporal.example.com/ui"}
	restarted(t, stack.Consumer, to...)
	source, destination, _ := upload(t, "told")
	consumer := schedule(t, stack.Consumer, "24h")
	awaitCycles(t, consumer, 1)
	require.Empty(t, receiver.take(), "all is well")

	frozen := filepath.Join(t.TempDir(), "frozen")
	require.NoError(t, os.WriteFile(frozen, nil, 0o600))
	hook(t, branch(destination).Path(), "if [ -e '"+frozen+"' ]; then echo 'frozen until Monday' >&2; exit 1; fi")
	commit(t, source)
	cycle(t, stack.Producer)
	run := func(status enums.WorkflowExecutionStatus, failed int) string {
		t.Helper()
		report := triggered(t, stack.Consumer, consumer)
		require.Equal(t, failed, report.Count())
		id, got := lastCycle(t, consumer)
		require.Equal(t, status.String(), got.String())
		return id
	}
	failed, completed := enums.WORKFLOW_EXECUTION_STATUS_FAILED, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED

	receiver.breakDown(true)
	first := run(failed, 1)
	require.Empty(t, receiver.take())
	receiver.breakDown(false)
	run(completed, 1)
	receiver.mu.Lock()
	require.Len(t, receiver.messages, 1)
	change := receiver.messages[0].Changes[0]
	receiver.mu.Unlock()
	require.Contains(t, change.Reason, "frozen until Monday")
	require.NotEmpty(t, change.Remedy)
	require.Equal(t, "https://temporal.example.com/ui/namespaces/consumer/workflows/"+url.PathEscape(consumeID(destination)), change.Link)
	require.Equal(t, []string{"consumer failing " + destination + " PushRefused"}, receiver.take(), "what could not be told before")
	run(completed, 1)
	restarted(t, stack.Consumer, to...)
	run(completed, 1)
	require.Empty(t, receiver.take(), "nothing has changed")

	require.NoError(t, os.Remove(frozen))
	starter(t, stack.Consumer, "retry", destination)
	run(completed, 0)
	require.Equal(t, []string{"consumer recovered " + destination + " PushRefused"}, receiver.take())
	run(completed, 0)
	require.Empty(t, receiver.take())

	var history strings.Builder
	for events := t.Temporal.Clients[stack.Consumer].GetWorkflowHistory(t.Context(), first, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		require.NoError(t, err)
		history.WriteString(event.String())
	}
	log, err := os.ReadFile(filepath.Join(filepath.Dir(t.SyncsFile()), "logs", "consumer-worker.log"))
	require.NoError(t, err)
	for what, text := range map[string]string{"the history": history.String(), "the log": string(log)} {
		require.Contains(t, text, "NotificationRefused", what)
		require.NotContains(t, text, token, what)
		require.NotContains(t, text, "a-word-in-the-url", what)
	}
}

// lastCycle is the ID of the schedule's last cycle, and how it ended.
func lastCycle(t sides, h client.ScheduleHandle) (id string, status enums.WorkflowExecutionStatus) {
	t.Helper()
	now, err := h.Describe(t.Context())
	require.NoError(t, err)
	id = now.Info.RecentActions[len(now.Info.RecentActions)-1].StartWorkflowResult.WorkflowID
	d, err := t.Temporal.Clients[stack.Consumer].DescribeWorkflow(t.Context(), id, "")
	require.NoError(t, err)
	return id, d.Status
}

package faults_test

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/port"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/internal/testserver/temporalproxy"
)

const hookToken = "a-token-of-the-faults-tests"

// killedAtPush has the producer's worker hear of a push, and killed at a step that only then happens.
func (r *trial) killedAtPush(step string, when temporalproxy.When) {
	address, err := port.Free()
	require.NoError(r, err)
	r.stop(r, stack.Producer)
	r.startWorker(r, stack.Producer, "WEBHOOK_ADDRESS="+address, "WEBHOOK_SECRETS="+hookToken)
	killed := r.at(stack.Producer, step, when, func() { r.kill(stack.Producer) })
	r.change(r)
	body := fmt.Sprintf(`{"object_kind": "push", "ref": "refs/heads/main", "project": {"path_with_namespace": %q}}`, quiet)
	request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "http://"+address+"/", strings.NewReader(body))
	require.NoError(r, err)
	request.Header = http.Header{"Content-Type": {"application/json"}, "X-Gitlab-Token": {hookToken}}
	answer, err := http.DefaultClient.Do(request)
	if err == nil { // else the worker was killed while it answered
		require.NoError(r, answer.Body.Close())
		require.Equal(r, http.StatusAccepted, answer.StatusCode)
	}
	r.await(killed)
	r.startWorker(r, stack.Producer)
}

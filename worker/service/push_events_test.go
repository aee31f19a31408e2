package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/webhook"
)

var quietLog = slog.New(slog.DiscardHandler)

// Pushes that come while Temporal takes a signal go together with the next one, and each sender hears whether it was taken.
func TestPushesAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var syncs []project.Sync
		for i := range 100 {
			syncs = append(syncs, syncFrom(t, fmt.Sprintf("a/p%d@main", i), fmt.Sprintf("m/p%d@main", i)))
		}
		var signals [][]string
		fails := errors.New("temporal is gone")
		p := &pushEvents{syncs: &syncIndex{list: &syncsOf{syncs: syncs}, log: quietLog}, log: quietLog, signal: func(_ context.Context, destinations []string) error {
			signals = append(signals, destinations)
			time.Sleep(time.Second)
			if len(signals) == 3 {
				return fails
			}
			return nil
		}}
		deliver := func(i int) error {
			ok, err := p.deliver(t.Context(), webhook.Push{Project: fmt.Sprintf("a/p%d", i), Refs: []string{"refs/heads/main"}})
			require.True(t, ok)
			return err
		}
		require.NoError(t, deliver(0))
		var senders sync.WaitGroup
		senders.Go(func() { require.NoError(t, deliver(1)) })
		time.Sleep(100 * time.Millisecond)
		var refused atomic.Int32
		for range 3 { // each of them three times
			for i := range 100 {
				senders.Go(func() {
					if err := deliver(i); errors.Is(err, fails) {
						refused.Add(1)
					}
				})
			}
		}
		senders.Wait()
		require.Len(t, signals, 3)
		require.Len(t, signals[2], 100)
		require.EqualValues(t, 300, refused.Load())
		require.NoError(t, deliver(7))

		ok, err := p.deliver(t.Context(), webhook.Push{Project: "a/unknown"})
		require.NoError(t, err)
		require.False(t, ok)
		require.Len(t, signals, 4, "nobody is told of what concerns nothing")
	})
}

// What waits for Temporal is bounded, and a sender does not wait longer than it wants to.
func TestGatheredIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		p := &pushEvents{log: quietLog, signal: func(ctx context.Context, _ []string) error {
			<-hang
			return ctx.Err()
		}}
		_, err := p.gather([]string{"first"})
		require.NoError(t, err)
		synctest.Wait()
		var names []string
		for i := range maxGathered {
			names = append(names, fmt.Sprint(i))
		}
		_, err = p.gather(names)
		require.NoError(t, err)
		_, err = p.gather([]string{"0"})
		require.NoError(t, err, "it waits already")
		_, err = p.gather([]string{"one more"})
		require.ErrorIs(t, err, errManyWait)

		p.syncs = &syncIndex{list: &syncsOf{syncs: []project.Sync{syncFrom(t, "a/app@main", "m/app@main")}}, log: quietLog}
		p.next = nil
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = p.deliver(ctx, webhook.Push{Project: "a/app"})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		close(hang)
		synctest.Wait()
	})
}

// An address that cannot be served at is said at the start; without one nothing is served.
func TestWhereDeliveriesAreTaken(t *testing.T) {
	m, err := newMetrics("producer", "fedramp")
	require.NoError(t, err)
	secrets, err := webhook.ParseSecrets("a-token-of-16-chars")
	require.NoError(t, err)
	stop, err := hook{}.listen(t.Context(), nil, nil, m.handler, quietLog)
	require.NoError(t, err)
	stop()

	address := freeAddress(t)
	h := hook{config.Endpoint{Variable: "WEBHOOK_ADDRESS", Address: config.Address(address)}, secrets, &syncsOf{}}
	stop, err = h.listen(t.Context(), nil, &syncIndex{list: h.syncs, log: quietLog}, m.handler, quietLog)
	require.NoError(t, err)
	_, err = h.listen(t.Context(), nil, nil, m.handler, quietLog)
	require.ErrorContains(t, err, "WEBHOOK_ADDRESS: listen tcp "+address)

	for token, want := range map[string]int{"": http.StatusUnauthorized, "a-token-of-16-chars": http.StatusAccepted} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/", strings.NewReader(`{"object_kind": "push", "ref": "refs/heads/a", "project": {"path_with_namespace": "a/b"}}`))
		require.NoError(t, err)
		request.Header = http.Header{"Content-Type": {"application/json"}, "X-Gitlab-Token": {token}}
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, want, answer.StatusCode)
	}
	_, page := probe(t, m.page, "/metrics")
	require.Contains(t, page, `git_partition_sync_webhook_deliveries_total{outcome="unauthorized",role="producer"} 1`)
	require.Contains(t, page, `git_partition_sync_webhook_deliveries_total{outcome="not_configured",role="producer"} 1`)
	stop()
	_, err = http.Post("http://"+address+"/", "application/json", nil)
	require.Error(t, err)
}

// Nothing of what a sender sends, and no secret, gets into the log, however wrong it is.
func TestDeliveriesLeaveNoSecretsInTheLog(t *testing.T) {
	const secret = "a-token-of-16-chars"
	var out strings.Builder
	logger := newLogger(&out, foreign.NewMask(secret), config.Logging{LogFormat: config.LogText})
	p := &pushEvents{syncs: &syncIndex{list: &syncsOf{err: errors.New("denied for " + secret)}, log: logger}, log: logger}
	secrets, err := webhook.ParseSecrets(secret)
	require.NoError(t, err)
	h := webhook.NewHandler(secrets, p.deliver, func(webhook.Outcome) {})
	for _, token := range []string{secret, "wrong-" + secret} {
		w := post(t, h, token, `{"object_kind": "push", "ref": "refs/heads/told-`+secret+`", "project": {"path_with_namespace": "a/told"}}`)
		require.NotContains(t, w, secret)
	}
	require.Contains(t, out.String(), "The list of syncs was not read")
	require.NotContains(t, out.String(), secret)
	require.NotContains(t, out.String(), "told")
}

func post(t *testing.T, h http.Handler, token, body string) (answer string) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header = http.Header{"Content-Type": {"application/json"}, "X-Gitlab-Token": {token}}
	h.ServeHTTP(w, r)
	return w.Body.String()
}

// While Temporal does not answer, no more is kept for it than goes into a few signals; what is kept already takes no more room.
func TestWhatWaitsForTemporalIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signalled := 0
		p := &pushEvents{log: quietLog, signal: func(_ context.Context, destinations []string) error {
			time.Sleep(signalTimeout)
			signalled = max(signalled, len(destinations))
			return nil
		}}
		_, err := p.gather([]string{"g/first@main"})
		require.NoError(t, err)
		synctest.Wait() // that is on its way
		names := make([]string, maxGathered+1)
		for i := range names {
			names[i] = fmt.Sprintf("g/p@%d", i)
		}
		_, err = p.gather(names[:maxGathered])
		require.NoError(t, err)
		_, err = p.gather(names[maxGathered:])
		require.ErrorIs(t, err, errManyWait)
		g, err := p.gather(names[:1])
		require.NoError(t, err)
		<-g.sent
		require.Equal(t, maxGathered, signalled)
		synctest.Wait()
	})
}

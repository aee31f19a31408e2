package activities

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

// Heartbeats tell that something moves. They end when nothing does, whether or not the step is over.
func TestHeartbeatsStopWhenNothingMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{quit: make(chan struct{}), stopped: make(chan struct{})}
		beats := 0
		go m.sendHeartbeats(t.Context(), func() { beats++ })
		for range 5 {
			time.Sleep(standstillTimeout - time.Minute)
			m.done.Add(1)
			time.Sleep(standstillTimeout - time.Minute)
			m.signsOfLife.Add(1)
		}
		select {
		case <-m.stopped:
			t.Fatal("it moved in time")
		default:
		}
		began := time.Now()
		<-m.stopped
		require.LessOrEqual(t, time.Since(began), standstillTimeout+2*HeartbeatEvery)
		require.Greater(t, beats, 10*int((standstillTimeout-2*time.Minute)/HeartbeatEvery))
	})
}

func TestHeartbeatsStopWithTheStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{quit: make(chan struct{}), stopped: make(chan struct{})}
		go m.sendHeartbeats(t.Context(), func() {})
		close(m.quit)
		<-m.stopped
	})
}

// A counter that stood still for the length of a large transfer would tell of it when it is over. Each byte counts once.
func TestBytesCountAsTheyMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counter := &bytesCounted{}
		m := &meter{counter: counter, quit: make(chan struct{}), stopped: make(chan struct{})}
		go m.sendHeartbeats(t.Context(), m.count)
		for n := range int64(5) {
			m.done.Add(100)
			time.Sleep(HeartbeatEvery)
			synctest.Wait()
			require.Equal(t, 100*(n+1), counter.total)
		}
		m.done.Add(7)
		m.stop()
		require.EqualValues(t, 507, counter.total)
	})
}

type bytesCounted struct{ total int64 }

func (s *bytesCounted) Inc(n int64) { s.total += n }

// What a Git server says while it indexes a pack is no byte of the pack, and keeps the step alive.
func TestSignsOfLife(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "0005\x01") }))
	t.Cleanup(server.Close)
	m := &meter{}
	req, err := http.NewRequestWithContext(m.withSignsOfLife(context.Background()), http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	resp, err := httpclient.Do(server.Client(), req, httpclient.Limits{Idle: time.Minute})
	require.NoError(t, err)
	defer resp.Body.Close()
	before := m.signsOfLife.Load()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.Greater(t, m.signsOfLife.Load(), before)
	require.Zero(t, m.done.Load())
}

// A step may wait for an answer for longer than its heartbeat timeout, before any byte of what it moves has come.
func TestStepsAreAliveFromTheBeginning(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.arrives(r.commit(random(20_000)))
	r.commit("two")
	upload := r.planned()
	r.produce()
	push := r.planPushes().Moves[0]
	for name, step := range map[string]func(*rig) error{
		"Clone":       func(z *rig) error { _, err := execute(z, z.clone, upload); return err },
		"Download":    func(z *rig) error { _, err := execute(z, z.download, push); return err },
		"PlanUploads": func(z *rig) error { _, err := execute(z, z.producer.PlanUploads, PlanRequest{}); return err },
		"PlanPushes":  func(z *rig) error { _, err := execute(z, z.consumer.PlanPushes, PlanRequest{}); return err },
		"Prune":       func(z *rig) error { _, err := execute(z, z.producer.Prune, PruneRequest{}); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &gate{stopped: make(chan string, 1), resume: make(chan struct{})}
			resume := sync.OnceFunc(func() { close(g.resume) })
			z := r.twin(g.pass)
			t.Cleanup(resume)
			beats := make(chan struct{}, 100)
			z.activities.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) { beats <- struct{}{} })
			done := make(chan error, 1)
			go func() { done <- step(z) }()
			<-g.stopped
			select {
			case <-beats:
			case <-time.After(2 * HeartbeatEvery):
				t.Error("no heartbeat while it waits for its first answer")
			}
			resume()
			require.NoError(t, <-done)
		})
	}
}

package activities

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
)

// HeartbeatEvery is well below the steps' heartbeat timeout.
const HeartbeatEvery = 5 * time.Second

// Progress is what a step tells with its heartbeats.
type Progress struct {
	Done  int64 `json:"bytes_done"`
	Total int64 `json:"bytes_total,omitempty"` // 0 when it is not known
}

// meter counts the bytes that a step moves and reports them until it is stopped. A step's
// cancellation, too, reaches it through its heartbeats.
type meter struct {
	done atomic.Int64
	all  client.MetricsCounter // of all steps of this kind
	quit chan struct{}
	over chan struct{}
}

func startMeter(ctx context.Context, total int64) *meter {
	m := &meter{all: activity.GetMetricsHandler(ctx).Counter(metricBytes), quit: make(chan struct{}), over: make(chan struct{})}
	go func() {
		defer close(m.over)
		tick := time.NewTicker(HeartbeatEvery)
		defer tick.Stop()
		for {
			activity.RecordHeartbeat(ctx, Progress{Done: m.done.Load(), Total: total})
			select {
			case <-m.quit:
				return
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return m
}

// stop ends the heartbeats, and counts what was moved. None is sent after it: the step is over then.
func (m *meter) stop() {
	close(m.quit)
	<-m.over
	if done := m.done.Load(); done > 0 {
		m.all.Inc(done)
	}
}

// Write counts what is written along with others, as by io.MultiWriter.
func (m *meter) Write(p []byte) (int, error) {
	m.done.Add(int64(len(p)))
	return len(p), nil
}

// reach notes that the bytes before offset have been seen.
func (m *meter) reach(offset int64) {
	for {
		done := m.done.Load()
		if offset <= done || m.done.CompareAndSwap(done, offset) {
			return
		}
	}
}

// read counts what is read from r.
func (m *meter) read(r io.Reader) io.Reader { return io.TeeReader(r, m) }

// write counts what is written to w.
func (m *meter) write(w io.Writer) io.Writer { return io.MultiWriter(w, m) }

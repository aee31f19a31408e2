package activities

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

// HeartbeatEvery is the time between two heartbeats. It is far below the steps' heartbeat timeout.
const HeartbeatEvery = 5 * time.Second

// standstillTimeout is how long a step may make no progress before it is given up. It is longer than every wait that
// has its own limit (docs/architecture.md, Limits of time). What stands still for longer, such as a disk, reports no
// error.
const standstillTimeout = time.Hour

// meter counts the bytes that a step moves, and reports them in heartbeats until it is stopped. A step also learns of
// its cancellation through its heartbeats.
type meter struct {
	done        atomic.Int64
	total       atomic.Int64          // 0 while it is not known
	signsOfLife atomic.Int64          // bytes that the Git server takes or sends besides
	counter     client.MetricsCounter // of all steps of this kind
	counted     int64                 // of done, so far
	rate        rate
	quit        chan struct{}
	stopped     chan struct{}
}

func startMeter(ctx context.Context, total int64) *meter {
	m := &meter{counter: metricsOf(ctx).Counter(metricBytes), quit: make(chan struct{}), stopped: make(chan struct{})}
	m.total.Store(total)
	go m.sendHeartbeats(ctx, func() {
		m.count()
		if activity.IsActivity(ctx) {
			activity.RecordHeartbeat(ctx, m.rate.progress(time.Now(), m.done.Load(), m.total.Load()))
		}
	})
	return m
}

// count adds to the counter what has moved since it was called last.
func (m *meter) count() {
	if moved := m.done.Load() - m.counted; moved > 0 {
		m.counter.Inc(moved)
		m.counted += moved
	}
}

// sendHeartbeats reports until the step is over, or has made no progress for longer than standstillTimeout. Temporal then misses
// the heartbeats and starts another attempt.
func (m *meter) sendHeartbeats(ctx context.Context, report func()) {
	defer close(m.stopped)
	tick := time.NewTicker(HeartbeatEvery)
	defer tick.Stop()
	moved, since := int64(-1), time.Now()
	for {
		if now := m.done.Load() + m.signsOfLife.Load(); now != moved {
			moved, since = now, time.Now()
		} else if time.Since(since) > standstillTimeout {
			return
		}
		report()
		select {
		case <-m.quit:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// withSignsOfLife returns a context for requests in which every byte counts as progress. A Git server may index a
// push for hours.
func (m *meter) withSignsOfLife(ctx context.Context) context.Context {
	return httpclient.WithActivityCallback(ctx, func() { m.signsOfLife.Add(1) })
}

// stop ends the heartbeats, and counts the bytes that have moved since the last. No heartbeat is sent afterwards,
// because the step is over.
func (m *meter) stop() {
	close(m.quit)
	<-m.stopped
	m.count()
}

// Write counts bytes, for io.MultiWriter.
func (m *meter) Write(p []byte) (int, error) {
	m.done.Add(int64(len(p)))
	return len(p), nil
}

// advanceTo notes that all bytes before offset have been seen.
func (m *meter) advanceTo(offset int64) {
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

// countedAt counts the bytes that are read, each as often as it is read.
type countedAt struct {
	io.ReaderAt
	count *atomic.Int64
}

func (r countedAt) ReadAt(b []byte, offset int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(b, offset)
	r.count.Add(int64(n))
	return n, err
}

package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/webhook"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

const (
	// signalTimeout is how long Temporal may take to take a signal. Forges wait for the answer.
	signalTimeout = 3 * time.Second
	// maxSignalled is how many destinations one signal names, and maxGathered how many wait for the next one.
	maxSignalled = 1000
	maxGathered  = 10_000
)

// hook is where a role's worker takes deliveries of webhooks. The zero value is nowhere.
type hook struct {
	config.Endpoint
	secrets webhook.Secrets
	syncs   activities.SyncList
}

// listen takes deliveries until the function that it returns is called.
func (h hook) listen(ctx context.Context, temporal client.Client, syncs *syncIndex, metrics client.MetricsHandler, logger *slog.Logger) (stop func(), err error) {
	if h.Address == "" {
		return func() {}, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", string(h.Address))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.Variable, err)
	}
	events := &pushEvents{syncs: syncs, log: logger, signal: func(ctx context.Context, destinations []string) error {
		return signalPush(ctx, temporal, destinations)
	}}
	server := webhook.NewServer(webhook.NewHandler(h.secrets, events.deliver, func(o webhook.Outcome) {
		metrics.WithTags(map[string]string{"outcome": string(o)}).Counter(activities.MetricDeliveries).Inc(1)
	}))
	go server.Serve(webhook.Limit(listener)) //nolint:errcheck // should it fail, the schedule goes on
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), signalTimeout)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
	}, nil
}

// signalPush tells the workflow of push events of destinations, and starts it if it does not run.
func signalPush(ctx context.Context, temporal client.Client, destinations []string) error {
	options := client.StartWorkflowOptions{ID: contract.PushEventsID, TaskQueue: contract.Producer.TaskQueue}
	for names := range slices.Chunk(destinations, maxSignalled) {
		_, err := temporal.SignalWithStartWorkflow(ctx, contract.PushEventsID, contract.SignalPush, contract.Push{Destinations: names},
			options, contract.PushEvents, contract.PushEventsInput{})
		if err != nil {
			return err
		}
	}
	return nil
}

// pushEvents hands pushes on. What comes while Temporal takes a signal goes with the next one, so that there is one at a time
// however many pushes there are.
type pushEvents struct {
	syncs  *syncIndex
	signal func(ctx context.Context, destinations []string) error
	log    *slog.Logger

	mu      sync.Mutex
	next    *gathering // nil when nothing waits
	sending bool
}

// gathering are the destinations that go with one signal.
type gathering struct {
	destinations map[string]bool
	sent         chan struct{} // closed when it was sent, or could not be
	err          error
}

var errManyWait = errors.New("too many destinations wait for Temporal")

// deliver returns when Temporal has taken what a push concerns, if it concerns anything.
func (p *pushEvents) deliver(ctx context.Context, push webhook.Push) (found bool, err error) {
	destinations, err := p.syncs.destinations(ctx, push)
	if err != nil || len(destinations) == 0 {
		return false, err
	}
	g, err := p.gather(destinations)
	if err != nil {
		return true, err
	}
	select {
	case <-g.sent:
		return true, g.err
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

// gather adds destinations to the next signal.
func (p *pushEvents) gather(destinations []string) (*gathering, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		p.next = &gathering{destinations: map[string]bool{}, sent: make(chan struct{})}
	}
	for _, d := range destinations {
		if len(p.next.destinations) == maxGathered && !p.next.destinations[d] {
			return nil, errManyWait
		}
		p.next.destinations[d] = true
	}
	if !p.sending {
		p.sending = true
		go p.send()
	}
	return p.next, nil
}

// send sends what was gathered, until nothing waits.
func (p *pushEvents) send() {
	for {
		p.mu.Lock()
		g := p.next
		p.next = nil
		if g == nil {
			p.sending = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		names := make([]string, 0, len(g.destinations))
		for d := range g.destinations {
			names = append(names, d)
		}
		slices.Sort(names)
		ctx, cancel := context.WithTimeout(context.Background(), signalTimeout)
		if g.err = p.signal(ctx, names); g.err != nil {
			p.log.Warn("Temporal did not take a push event: the next cycle finds what moved", "syncs", len(names), "error", g.err)
		}
		cancel()
		close(g.sent)
	}
}

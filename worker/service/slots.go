package service

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/worker"
)

const (
	// slowAfter is how long a step may run before its slot no longer counts.
	slowAfter = time.Minute
	// slotFactor times the number of slots is how many steps may run, including slow ones.
	slotFactor = 4
)

// slots hands out a number of slots. A step that has run for long no longer counts, so that a few slow transfers do
// not delay everyone else: there are then more slots, up to slotFactor times as many. It implements
// [worker.SlotSupplier].
type slots struct {
	size      int
	slowAfter time.Duration

	mu        sync.Mutex
	heldSince map[*worker.SlotPermit]time.Time // since when a step runs; zero before it has started
	freed     chan struct{}                    // closed and replaced when a slot is given back
}

func newSlots(size int, slowAfter time.Duration) *slots {
	return &slots{size: size, slowAfter: slowAfter, heldSince: map[*worker.SlotPermit]time.Time{}, freed: make(chan struct{})}
}

// ReserveSlot waits until there is a slot, or the context ends.
func (s *slots) ReserveSlot(ctx context.Context, info worker.SlotReservationInfo) (*worker.SlotPermit, error) {
	for {
		s.mu.Lock()
		freed := s.freed
		s.mu.Unlock()
		if permit := s.TryReserveSlot(info); permit != nil {
			return permit, nil
		}
		look := time.NewTimer(s.slowAfter / 10)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-freed:
		case <-look.C: // one may have become slow
		}
	}
}

// TryReserveSlot returns nil when there is no slot.
func (s *slots) TryReserveSlot(worker.SlotReservationInfo) *worker.SlotPermit {
	s.mu.Lock()
	defer s.mu.Unlock()
	counted := 0
	for _, since := range s.heldSince {
		if since.IsZero() || time.Since(since) < s.slowAfter {
			counted++
		}
	}
	if counted >= s.size || len(s.heldSince) >= s.MaxSlots() {
		return nil
	}
	permit := &worker.SlotPermit{}
	s.heldSince[permit] = time.Time{}
	return permit
}

// MarkSlotUsed notes that a step runs.
func (s *slots) MarkSlotUsed(info worker.SlotMarkUsedInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heldSince[info.Permit()] = time.Now()
}

// ReleaseSlot takes a slot back.
func (s *slots) ReleaseSlot(info worker.SlotReleaseInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.heldSince, info.Permit())
	close(s.freed)
	s.freed = make(chan struct{})
}

// MaxSlots is the largest number of slots that are held at a time.
func (s *slots) MaxSlots() int { return slotFactor * s.size }

// withSlots lets a worker run its activities in slots.
func withSlots(options worker.Options, s *slots) (worker.Options, error) {
	others, err := worker.NewFixedSizeTuner(worker.FixedSizeTunerOptions{})
	if err != nil {
		return options, err
	}
	options.MaxConcurrentActivityExecutionSize = 0
	options.Tuner, err = worker.NewCompositeTuner(worker.CompositeTunerOptions{
		WorkflowSlotSupplier:        others.GetWorkflowTaskSlotSupplier(),
		ActivitySlotSupplier:        s,
		LocalActivitySlotSupplier:   others.GetLocalActivitySlotSupplier(),
		NexusSlotSupplier:           others.GetNexusSlotSupplier(),
		SessionActivitySlotSupplier: others.GetSessionActivitySlotSupplier(),
	})
	return options, err
}

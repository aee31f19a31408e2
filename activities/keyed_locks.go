package activities

import (
	"context"
	"sync"
	"time"
)

// keyedLocks are locks by name, within one worker. The zero value has none that is held.
type keyedLocks struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when the lock is free
}

// lock waits for the lock of a key, and calls alive meanwhile. Waited says that somebody else held it.
func (l *keyedLocks) lock(ctx context.Context, key string, alive func()) (unlock func(), waited bool, err error) {
	for {
		free := l.tryLock(key)
		if free == nil {
			return func() { l.unlock(key) }, waited, nil
		}
		waited = true
		select {
		case <-free:
		case <-time.After(HeartbeatEvery):
			alive()
		case <-ctx.Done():
			return nil, waited, context.Cause(ctx)
		}
	}
}

// tryLock returns nil if the lock was free, and is held now; else what is closed when it is free.
func (l *keyedLocks) tryLock(key string) (free <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if free := l.held[key]; free != nil {
		return free
	}
	if l.held == nil {
		l.held = map[string]chan struct{}{}
	}
	l.held[key] = make(chan struct{})
	return nil
}

func (l *keyedLocks) unlock(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.held[key])
	delete(l.held, key)
}

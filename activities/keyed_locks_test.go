package activities

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestKeyedLocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var locks keyedLocks
		var alive atomic.Int32
		lock := func(ctx context.Context, key string) (func(), bool, error) {
			return locks.lock(ctx, key, func() { alive.Add(1) })
		}
		first, waited, err := lock(t.Context(), "a")
		require.NoError(t, err)
		require.False(t, waited)
		other, waited, err := lock(t.Context(), "b")
		require.NoError(t, err)
		require.False(t, waited, "another key has a lock of its own")
		other()

		gaveUp := errors.New("gave up")
		short, cancel := context.WithCancelCause(t.Context())
		cancel(gaveUp)
		_, _, err = lock(short, "a")
		require.ErrorIs(t, err, gaveUp)

		go func() {
			time.Sleep(time.Minute)
			first()
		}()
		begun := time.Now()
		second, waited, err := lock(t.Context(), "a")
		require.NoError(t, err)
		require.True(t, waited)
		require.Equal(t, time.Minute, time.Since(begun))
		require.GreaterOrEqual(t, alive.Load(), int32(10), "who waits shows that it is alive")
		second()
		require.Empty(t, locks.held)
	})
}

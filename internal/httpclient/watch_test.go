package httpclient

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// An answer may begin at the moment at which the request's body ends. What moves from then on is not silent.
func TestAnswerBeginsAsTheRequestEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for range 5000 {
			ctx, cancel := context.WithCancelCause(t.Context())
			w := &silenceWatch{ctx: ctx, cancel: cancel}
			w.enterStage(waitStage{"has taken nothing more of the request", 10 * time.Second})
			var both sync.WaitGroup
			for range 8 {
				both.Go(w.markActive)
			}
			both.Go(func() { w.enterStage(waitStage{"has sent nothing", 10 * time.Second}) })
			both.Wait()
			for range 4 {
				time.Sleep(5 * time.Second)
				w.markActive()
			}
			require.NoError(t, context.Cause(ctx))
			w.release()
		}
	})
}

package smarthttp

import (
	"cmp"
	"context"
	"time"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

// Limits are how long a server is waited for. A stream that moves goes on, however slowly.
type Limits struct {
	// Discovery is for reading refs, from the first request to the end of the last answer.
	Discovery time.Duration
	// Advertisement is for the list of all refs that precedes a push: there, no server filters.
	Advertisement time.Duration
	// Idle is for a stream in which no byte moves.
	Idle time.Duration
	// Answer is for a push that was sent whole, until the next byte of its answer. The server indexes the
	// pack meanwhile; git sends a sign of life every 5 seconds (receive.keepAlive), which a proxy may
	// hold back.
	Answer time.Duration
}

func (l Limits) orDefaults() Limits {
	return Limits{
		Discovery:     cmp.Or(l.Discovery, time.Minute),
		Advertisement: cmp.Or(l.Advertisement, 10*time.Minute),
		Idle:          cmp.Or(l.Idle, 5*time.Minute),
		Answer:        cmp.Or(l.Answer, 30*time.Minute),
	}
}

// withLimit ends what the returned context is used for when it takes longer than limit.
func withLimit(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, &httpclient.SilentError{What: "has not answered in full", For: limit})
}

package smarthttp

import (
	"cmp"
	"time"
)

// Limits are how long to wait for a server. A stream that moves, however slowly, is not ended.
type Limits struct {
	// Discovery is for reading refs, from the first request to the end of the last answer.
	Discovery time.Duration
	// List takes its place where refs are asked for by prefixes, because there may be very many.
	List time.Duration
	// Advertisement is for the list of refs before a push. It is longer, because servers do not filter that list.
	Advertisement time.Duration
	// Idle is for a stream in which no byte moves.
	Idle time.Duration
	// Answer is for the time between the end of a push and the next byte of its answer. Meanwhile the server indexes the
	// pack. Git sends a sign of life every 5 seconds (receive.keepAlive), which a proxy may hold back.
	Answer time.Duration
}

func (l Limits) orDefaults() Limits {
	return Limits{
		Discovery:     cmp.Or(l.Discovery, time.Minute),
		List:          cmp.Or(l.List, 3*time.Minute),
		Advertisement: cmp.Or(l.Advertisement, 10*time.Minute),
		Idle:          cmp.Or(l.Idle, 5*time.Minute),
		Answer:        cmp.Or(l.Answer, 30*time.Minute),
	}
}

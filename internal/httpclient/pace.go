package httpclient

import (
	"context"
	"errors"
	"math"
	"net/http"

	"golang.org/x/time/rate"
)

// ErrNoTurn says that AtMost left a request no turn within its time.
var ErrNoTurn = errors.New("too many requests wait for their turn")

// paced is a transport whose requests begin at most so often.
type paced struct {
	http.RoundTripper
	turns *rate.Limiter
}

// AtMost returns a client whose requests wait in Do until fewer than so many a second have begun, after so many at once. All copies of
// the client wait for each other. Zero is no limit, and returns the client itself.
func AtMost(perSecond float64, client *http.Client) *http.Client {
	if perSecond == 0 {
		return client
	}
	limited := *client
	transport := client.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	limited.Transport = &paced{transport, rate.NewLimiter(rate.Limit(perSecond), int(math.Ceil(perSecond)))}
	return &limited
}

// awaitTurn waits until a request may begin. The server is not to blame for that wait, so that it comes before all limits but the
// context's own.
func awaitTurn(ctx context.Context, client *http.Client) error {
	p, ok := client.Transport.(*paced)
	if !ok {
		return nil
	}
	if err := p.turns.Wait(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return ErrNoTurn
	}
	return nil
}

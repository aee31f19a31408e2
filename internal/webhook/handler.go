package webhook

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

const (
	// maxBody is the largest body of a delivery, in bytes. Those of pushes have at most 20 commits, and a few KiB.
	maxBody = 1 << 20
	// maxBodies is how many bytes of bodies are in memory at a time. Who comes when there are more waits bodyPatience.
	maxBodies    = 16 << 20
	bodyPatience = 2 * time.Second
	// deliveriesPerSecond and deliveryBurst bound the deliveries of who knows a secret. Those of others are refused before.
	deliveriesPerSecond = 200
	deliveryBurst       = 1000
	// deliverTimeout is how long it may take to hand a push on: forges wait five seconds and more.
	deliverTimeout = 4 * time.Second
)

// Outcome is what became of a delivery.
type Outcome string

// Outcomes of deliveries.
const (
	Accepted      Outcome = "accepted"
	NoPush        Outcome = "no_push"        // verified, but another event
	NotConfigured Outcome = "not_configured" // verified, but no sync has the ref as its source
	NotADelivery  Outcome = "not_a_delivery" // another method, path or type of content
	Unauthorized  Outcome = "unauthorized"
	TooLarge      Outcome = "too_large"
	Malformed     Outcome = "malformed"
	TooMany       Outcome = "too_many"
	Unavailable   Outcome = "unavailable" // who has to be told of it does not answer
)

// answers are what a sender is told: a status, and what to do about it. A delivery that concerns no sync succeeds, too, since
// hooks of groups and of whole instances send many, and a forge switches off a hook whose deliveries fail.
var answers = map[Outcome]struct {
	status int
	text   string
}{
	Accepted:      {http.StatusAccepted, "accepted: its syncs are looked at"},
	NoPush:        {http.StatusAccepted, "ignored: not an event of a push"},
	NotConfigured: {http.StatusAccepted, "ignored: no sync has this ref of this project as its source"},
	NotADelivery:  {http.StatusBadRequest, "refused: send a POST to / with Content-Type application/json, with a Content-Length, not compressed"},
	Unauthorized:  {http.StatusUnauthorized, "refused: no secret of WEBHOOK_SECRETS fits, or the clocks differ"},
	TooLarge:      {http.StatusRequestEntityTooLarge, "refused: more than 1 MiB"},
	Malformed:     {http.StatusBadRequest, "refused: not a push as GitLab or Gitea describe one"},
	TooMany:       {http.StatusTooManyRequests, "refused: too many deliveries; the next cycle finds what moved"},
	Unavailable:   {http.StatusServiceUnavailable, "not taken: the worker cannot hand it on now; the next cycle finds what moved"},
}

// Handler answers deliveries. It holds none longer than it takes to hand it on.
type Handler struct {
	secrets Secrets
	deliver func(context.Context, Push) (found bool, err error)
	count   func(Outcome)
	clock   func() time.Time
	rate    *rate.Limiter
	bodies  *semaphore.Weighted
}

// NewHandler returns a handler of deliveries of those who know one of the secrets. Deliver is told of each push, and returns
// whether it concerns anything; it reports itself why it cannot. Count is told what became of each delivery.
func NewHandler(secrets Secrets, deliver func(context.Context, Push) (found bool, err error), count func(Outcome)) *Handler {
	return &Handler{
		secrets: secrets, deliver: deliver, count: count, clock: time.Now,
		rate: rate.NewLimiter(deliveriesPerSecond, deliveryBurst), bodies: semaphore.NewWeighted(maxBodies),
	}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	outcome := h.take(r)
	h.count(outcome)
	answer := answers[outcome]
	if outcome == TooMany || outcome == Unavailable {
		w.Header().Set("Retry-After", "60")
	}
	if answer.status >= http.StatusBadRequest { // else who knows no secret could hold all connections, at a request each now and then
		w.Header().Set("Connection", "close")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(answer.status)
	_, _ = io.WriteString(w, answer.text+"\n") // a sender that is gone needs no answer
}

// take does what is cheap before what is not: whoever knows no secret costs no more than the signature of a body.
func (h *Handler) take(r *http.Request) Outcome {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Method != http.MethodPost, r.URL.Path != "/", err != nil, media != "application/json",
		r.Header.Get("Content-Encoding") != "", r.ContentLength < 0:
		return NotADelivery
	case r.ContentLength > maxBody:
		return TooLarge
	}
	proofs := h.secrets.proofs(r.Header, h.clock())
	if len(proofs) == 0 {
		return Unauthorized
	}
	push, outcome := h.readPush(r, proofs)
	if outcome != Accepted {
		return outcome
	}
	ctx, cancel := context.WithTimeout(r.Context(), deliverTimeout)
	defer cancel()
	switch found, err := h.deliver(ctx, push); {
	case err != nil:
		return Unavailable
	case !found:
		return NotConfigured
	}
	return Accepted
}

// readPush reads a body and verifies it before it looks into it. The outcome is Accepted if it is a push.
func (h *Handler) readPush(r *http.Request, proofs []proof) (push Push, outcome Outcome) {
	ctx, cancel := context.WithTimeout(r.Context(), bodyPatience)
	defer cancel()
	if h.bodies.Acquire(ctx, r.ContentLength) != nil {
		return push, TooMany
	}
	defer h.bodies.Release(r.ContentLength)
	body, err := io.ReadAll(r.Body) // no more than its ContentLength
	if err != nil {
		return push, Malformed
	}
	verified := false
	for _, p := range proofs {
		verified = verified || p.holds(body)
	}
	switch {
	case !verified:
		return push, Unauthorized
	case !h.rate.Allow():
		return push, TooMany
	}
	switch push, err = parsePush(r.Header, body); {
	case errors.Is(err, errNoPush):
		return push, NoPush
	case err != nil:
		return push, Malformed
	}
	return push, Accepted
}

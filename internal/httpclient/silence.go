package httpclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Limits are how long a server may be silent. A request that moves, however slowly, is not ended.
type Limits struct {
	// Idle is the limit while a request is sent, and while its answer arrives.
	Idle time.Duration
	// Answer is the limit between the end of the request and the first byte of the answer. Zero means Idle.
	Answer time.Duration
}

// SilentError ends a request in which no byte moved for too long. It wraps ErrSilent.
type SilentError struct {
	What string        // what did not happen
	For  time.Duration // how long it was waited for
}

func (e *SilentError) Error() string { return fmt.Sprintf("the server %s for %s", e.What, e.For) }

func (e *SilentError) Unwrap() error { return ErrSilent }

// WithLimit returns a context that ends with a *SilentError after the limit.
func WithLimit(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, &SilentError{What: "has not answered in full", For: limit})
}

// Do sends the request. It ends it with a *SilentError when no byte of the request or of the answer has moved for
// longer than the limits allow, which includes reading the answer's body. Other errors come from DescribeError. A client of AtMost
// waits for its turn first, and may fail with ErrNoTurn.
func Do(client *http.Client, req *http.Request, limits Limits) (*http.Response, error) {
	if err := awaitTurn(req.Context(), client); err != nil {
		return nil, err
	}
	req, span := startSpan(req)
	ctx, cancel := context.WithCancelCause(req.Context())
	w := &silenceWatch{ctx: ctx, cancel: cancel}
	w.enterStage(waitStage{"has taken nothing more of the request", limits.Idle})
	req = req.WithContext(ctx)
	answer := waitStage{"has sent nothing", cmp.Or(limits.Answer, limits.Idle)}
	if req.Body != nil && req.Body != http.NoBody {
		req.Body = &watchedRequestBody{ReadCloser: req.Body, watch: w, then: answer}
	} else {
		w.enterStage(answer)
	}
	resp, err := client.Do(req) //nolint:gosec // the caller says where it goes
	if err != nil {
		err = w.silenceOr(DescribeError(err))
		w.release()
		recordFailure(span, err)
		span.End()
		return nil, err
	}
	w.markActive()
	recordAnswer(span, resp)
	resp.Body = &watchedAnswerBody{ReadCloser: resp.Body, watch: w, span: span}
	return resp, nil
}

type activityKey struct{}

// WithActivityCallback returns a context for requests that call alive for every byte that moves. The callback must be
// fast.
func WithActivityCallback(ctx context.Context, alive func()) context.Context {
	return context.WithValue(ctx, activityKey{}, alive)
}

// silenceWatch cancels a request in which nothing moves. A request's body and its answer move at the same time.
type silenceWatch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	stage waitStage
	timer *time.Timer
}

// waitStage is what the watch waits for, and for how long.
type waitStage struct {
	what  string
	limit time.Duration
}

func (w *silenceWatch) enterStage(s waitStage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	w.stage = s
	w.timer = time.AfterFunc(s.limit, func() { w.cancel(&SilentError{What: s.what, For: s.limit}) })
}

func (w *silenceWatch) markActive() {
	w.mu.Lock()
	w.timer.Reset(w.stage.limit)
	w.mu.Unlock()
	if tell, ok := w.ctx.Value(activityKey{}).(func()); ok {
		tell()
	}
}

// release stops the timer and cancels the context. A body that is still being read then fails with context.Canceled.
func (w *silenceWatch) release() {
	w.mu.Lock()
	w.timer.Stop()
	w.mu.Unlock()
	w.cancel(nil)
}

// silenceOr returns the *SilentError if that is why the request was cancelled, and err otherwise.
func (w *silenceWatch) silenceOr(err error) error {
	if cause := context.Cause(w.ctx); errors.Is(cause, ErrSilent) {
		return cause
	}
	return err
}

// watchedRequestBody is a request's body. When the transport reads from it, the server has taken bytes.
type watchedRequestBody struct {
	io.ReadCloser
	watch *silenceWatch
	then  waitStage
}

func (s *watchedRequestBody) Read(b []byte) (int, error) {
	n, err := s.ReadCloser.Read(b)
	if err == io.EOF {
		s.watch.enterStage(s.then)
	} else {
		s.watch.markActive()
	}
	return n, err
}

// watchedAnswerBody is an answer's body.
type watchedAnswerBody struct {
	io.ReadCloser
	watch *silenceWatch
	span  trace.Span // ends with the body
}

func (r *watchedAnswerBody) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	if n > 0 {
		r.watch.markActive()
	}
	if err != nil && err != io.EOF {
		err = r.watch.silenceOr(err)
		recordFailure(r.span, err)
	}
	return n, err
}

func (r *watchedAnswerBody) Close() error {
	r.watch.release()
	r.span.End()
	return r.ReadCloser.Close()
}

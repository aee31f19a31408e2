package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// Limits are how long a server may be silent. A request that moves, however slowly, goes on.
type Limits struct {
	// Idle is the limit while a request is sent, and while its answer comes.
	Idle time.Duration
	// Answer is the limit once the request has been sent whole. Zero means Idle.
	Answer time.Duration
}

// SilentError ends a request in which no byte has moved for too long. It is ErrSilent.
type SilentError struct {
	What string        // what did not happen
	For  time.Duration // how long it was waited for
}

func (e *SilentError) Error() string { return fmt.Sprintf("the server %s for %s", e.What, e.For) }

func (e *SilentError) Unwrap() error { return ErrSilent }

// Do sends the request, and ends it with a *SilentError when no byte of it or of its answer has
// moved for as long as limits say. The answer's body is held to them, too. Other errors
// are in the words of Explain.
func Do(client *http.Client, req *http.Request, limits Limits) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	w := &watch{ctx: ctx, cancel: cancel}
	w.enter(stage{"has taken nothing more of the request", limits.Idle})
	req = req.WithContext(ctx)
	answer := stage{"has sent nothing", limits.Idle}
	if limits.Answer > 0 {
		answer.limit = limits.Answer
	}
	if req.Body != nil && req.Body != http.NoBody {
		req.Body = &sending{ReadCloser: req.Body, watch: w, then: answer}
	} else {
		w.enter(answer)
	}
	resp, err := client.Do(req) //nolint:gosec // the caller says where it goes
	if err != nil {
		err = w.explain(Explain(err))
		w.end()
		return nil, err
	}
	w.alive()
	resp.Body = &receiving{ReadCloser: resp.Body, watch: w}
	return resp, nil
}

type lifeKey struct{}

// OnLife returns a context for requests of which every byte that moves is told to alive. It must be quick.
func OnLife(ctx context.Context, alive func()) context.Context {
	return context.WithValue(ctx, lifeKey{}, alive)
}

// watch cancels a request that stands still.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	stage  atomic.Pointer[stage]
	timer  atomic.Pointer[time.Timer]
}

// stage is what is waited for.
type stage struct {
	what  string
	limit time.Duration
}

func (w *watch) enter(s stage) {
	w.stage.Store(&s)
	timer := time.AfterFunc(s.limit, func() { w.cancel(&SilentError{What: s.what, For: s.limit}) })
	if before := w.timer.Swap(timer); before != nil {
		before.Stop()
	}
}

func (w *watch) alive() {
	w.timer.Load().Reset(w.stage.Load().limit)
	if tell, ok := w.ctx.Value(lifeKey{}).(func()); ok {
		tell()
	}
}

// end releases what the watch holds. Whoever still reads then gets context.Canceled.
func (w *watch) end() {
	w.timer.Load().Stop()
	w.cancel(nil)
}

// explain puts the reason in place of the error that the cancellation has led to.
func (w *watch) explain(err error) error {
	if cause := context.Cause(w.ctx); errors.Is(cause, ErrSilent) {
		return cause
	}
	return err
}

// sending is a request's body: what the transport reads of it, the server has room for.
type sending struct {
	io.ReadCloser
	watch *watch
	then  stage
}

func (s *sending) Read(b []byte) (int, error) {
	n, err := s.ReadCloser.Read(b)
	if err == io.EOF {
		s.watch.enter(s.then)
	} else {
		s.watch.alive()
	}
	return n, err
}

// receiving is an answer's body.
type receiving struct {
	io.ReadCloser
	watch *watch
}

func (r *receiving) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	if n > 0 {
		r.watch.alive()
	}
	if err != nil && err != io.EOF {
		err = r.watch.explain(err)
	}
	return n, err
}

func (r *receiving) Close() error {
	r.watch.end()
	return r.ReadCloser.Close()
}

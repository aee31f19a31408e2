package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

const (
	// temporalTimeout is how long Temporal may take to answer a probe.
	temporalTimeout = 2 * time.Second
	// checkTimeout leaves a worker enough time to say that Temporal does not answer.
	checkTimeout = 2 * temporalTimeout
	// answerTimeout is how long an answer may take to be read, and idleTimeout how long a connection is kept for another question.
	answerTimeout = 30 * time.Second
	idleTimeout   = 2 * time.Minute
)

// health answers the probes of whatever runs the worker, such as a kubelet. /livez succeeds as long as the worker
// serves. /readyz answers 503 with the reason while the worker cannot take work. Prometheus reads /metrics, and people / and
// /status.json where they have asked for that.
type health struct {
	metrics  http.Handler
	waiting  atomic.Pointer[string] // why the worker has not started yet
	serving  atomic.Pointer[served] // nil until the worker has started
	draining atomic.Bool
}

// waitsFor notes why the worker has not started yet.
func (h *health) waitsFor(reason error) {
	text := reason.Error()
	h.waiting.Store(&text)
}

// served is what there is of a worker that has started.
type served struct {
	temporal func(context.Context) error // asks Temporal whether it serves
	page     http.Handler                // how all syncs are; nil for none
}

func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var err error
	switch r.URL.Path {
	case "/metrics":
		h.metrics.ServeHTTP(w, r)
		return
	case "/livez":
	case "/readyz":
		err = h.ready(r.Context())
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok") //nolint:errcheck // a probe that is gone needs no answer
}

func (h *health) ready(ctx context.Context) error {
	serving, waiting := h.serving.Load(), h.waiting.Load()
	switch {
	case h.draining.Load():
		return errors.New("draining: the worker was told to stop")
	case serving == nil && waiting != nil:
		return fmt.Errorf("starting: %s", *waiting)
	case serving == nil:
		return errors.New("starting")
	}
	ctx, cancel := context.WithTimeout(ctx, temporalTimeout)
	defer cancel()
	if err := serving.temporal(ctx); err != nil {
		return fmt.Errorf("temporal: %w", contract.InWords(contract.ServerError(err)))
	}
	return nil
}

// listenAll serves at all of the endpoints, or at none.
func (h *health) listenAll(ctx context.Context, endpoints []config.Endpoint) (closeAll func(), err error) {
	var closers []func()
	closeAll = func() {
		for _, closeOne := range closers {
			closeOne()
		}
	}
	for _, e := range endpoints {
		closeOne, err := h.listen(ctx, e)
		if err != nil {
			closeAll()
			return nil, err
		}
		closers = append(closers, closeOne)
	}
	return closeAll, nil
}

// at returns what is served at an endpoint. Names and errors are on the page: it is where it was asked for, and not at a port
// of all addresses beside that.
func (h *health) at(e config.Endpoint) http.Handler {
	if e.Variable != "HEALTH_ADDRESS" {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serving := h.serving.Load()
		if serving == nil || serving.page == nil || r.URL.Path != "/" && r.URL.Path != "/status.json" {
			h.ServeHTTP(w, r)
			return
		}
		serving.page.ServeHTTP(w, r)
	})
}

// listen serves at an endpoint until the function that it returns is called.
func (h *health) listen(ctx context.Context, at config.Endpoint) (func(), error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", string(at.Address))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at.Variable, err)
	}
	server := h.server(at)
	go server.Serve(listener) //nolint:errcheck // should it fail, so do the probes
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), temporalTimeout)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
	}, nil
}

// server keeps no connection to those who are silent: each takes a file of the worker's, and some an answer's memory.
func (h *health) server(at config.Endpoint) *http.Server {
	return &http.Server{Handler: h.at(at), ReadTimeout: checkTimeout, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: 64 << 10}
}

// checkReadiness asks the worker on this machine that serves probes where the environment says whether it is
// ready. It is for exec probes, because the image has no other program that they could run.
func checkReadiness(ctx context.Context, environ []string) error {
	probes, err := config.LoadProbes(environ)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(string(probes.Endpoints()[0].Address))
	if err != nil {
		return err
	}
	url := "http://" + net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port) + "/readyz"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	// A new transport, because the default one would use a proxy.
	answer, err := (&http.Client{Transport: &http.Transport{}, Timeout: checkTimeout}).Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", strings.TrimSpace(string(text)))
	}
	return nil
}

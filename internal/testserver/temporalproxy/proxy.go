// Package temporalproxy stands between a worker and its Temporal server. It tells a test of each moment in the life of a
// task, and can cut the connection.
package temporalproxy

import (
	"context"
	"fmt"
	"math"
	"net"
	"sync"
	"time"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
)

// When is a moment in the life of a task.
type When string

// The moments, in their order. What a handler does happens before the call goes on.
const (
	HandedOut When = "handed out" // the server has given the task away, and the worker does not have it yet
	AtWork    When = "at work"    // the worker reports progress of an activity
	Done      When = "done"       // the worker has a result, and the server does not know it yet
	Reported  When = "reported"   // the server knows the result, and the worker does not know that
)

// Moment is one of a task of an activity or workflow.
type Moment struct {
	Type string // of the activity or workflow
	When When
}

func (m Moment) String() string { return fmt.Sprintf("%s %s", m.Type, m.When) }

// Proxy is a running proxy. Its methods may be called concurrently.
type Proxy struct {
	listener *listener
	server   *grpc.Server
	upstream *grpc.ClientConn

	mu       sync.Mutex
	tasks    map[string]task // those that are out, by their tokens
	handlers map[Moment][]*handler
}

type handler struct{ do func(identity string) }

// task is what is known of one that is out.
type task struct {
	name     string // of the activity or workflow
	identity string // of the worker that has it
}

// Start passes on to the server at the address upstream whatever comes to a free port of 127.0.0.1.
func Start(upstream string) (_ *Proxy, err error) {
	p := &Proxy{tasks: map[string]task{}, handlers: map[Moment][]*handler{}}
	soon := backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, MaxDelay: time.Second}
	p.upstream, err = grpc.NewClient(upstream,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: soon, MinConnectTimeout: time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)),
	)
	if err != nil {
		return nil, err
	}
	service, err := proxy.NewWorkflowServiceProxyServer(proxy.WorkflowServiceProxyOptions{
		Client: workflowservice.NewWorkflowServiceClient(p.upstream),
	})
	if err != nil {
		return nil, err
	}
	// It is for the server, and not for the proxy, to find a message too large.
	p.server = grpc.NewServer(grpc.UnaryInterceptor(p.intercept), grpc.MaxRecvMsgSize(math.MaxInt32))
	workflowservice.RegisterWorkflowServiceServer(p.server, service)
	operatorservice.RegisterOperatorServiceServer(p.server, &operator{client: operatorservice.NewOperatorServiceClient(p.upstream)})
	healthgrpc.RegisterHealthServer(p.server, &health{client: healthgrpc.NewHealthClient(p.upstream)})
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.listener = &listener{Listener: plain, open: map[net.Conn]bool{}}
	go func() { _ = p.server.Serve(p.listener) }() // returns once Close is called
	return p, nil
}

// Address is where workers find the proxy.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Close ends the proxy and all connections.
func (p *Proxy) Close() error {
	p.server.Stop()
	return p.upstream.Close()
}

// Cut ends all connections of workers, and refuses new ones until Restore.
func (p *Proxy) Cut() { p.listener.cut(true) }

// Restore takes connections again.
func (p *Proxy) Restore() { p.listener.cut(false) }

// On has do called at each such moment, in the call's own goroutine, until remove is called.
func (p *Proxy) On(m Moment, do func()) (remove func()) {
	return p.on(m, func(string) { do() })
}

func (p *Proxy) on(m Moment, do func(identity string)) (remove func()) {
	h := &handler{do}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handlers[m] = append(p.handlers[m], h)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		var rest []*handler
		for _, other := range p.handlers[m] {
			if other != h {
				rest = append(rest, other)
			}
		}
		p.handlers[m] = rest
	}
}

// Once has do called at the next such moment only. The channel is closed when it has returned.
func (p *Proxy) Once(m Moment, do func()) <-chan struct{} {
	return p.OnceOf(m, func(string) { do() })
}

// OnceOf is Once for who wants to know the identity of the worker that has the task.
func (p *Proxy) OnceOf(m Moment, do func(identity string)) <-chan struct{} {
	var once sync.Once
	done := make(chan struct{})
	var remove func()
	ready := make(chan struct{})
	remove = p.on(m, func(identity string) {
		once.Do(func() {
			<-ready
			remove()
			do(identity)
			close(done)
		})
	})
	close(ready)
	return done
}

func (p *Proxy) intercept(ctx context.Context, req any, _ *grpc.UnaryServerInfo, call grpc.UnaryHandler) (any, error) {
	p.before(req)
	resp, err := call(ctx, req)
	if err == nil {
		p.after(req, resp)
	}
	return resp, err
}

func (p *Proxy) before(req any) {
	switch req := req.(type) {
	case *workflowservice.RecordActivityTaskHeartbeatRequest:
		p.at(req.GetTaskToken(), AtWork)
	case *workflowservice.RespondActivityTaskCompletedRequest:
		p.at(req.GetTaskToken(), Done)
	case *workflowservice.RespondWorkflowTaskCompletedRequest:
		p.at(req.GetTaskToken(), Done)
	}
}

func (p *Proxy) after(req, resp any) {
	switch resp := resp.(type) {
	case *workflowservice.PollActivityTaskQueueResponse:
		p.handOut(resp.GetTaskToken(), task{resp.GetActivityType().GetName(), identityOf(req)})
	case *workflowservice.PollWorkflowTaskQueueResponse:
		p.handOut(resp.GetTaskToken(), task{resp.GetWorkflowType().GetName(), identityOf(req)})
	case *workflowservice.RespondWorkflowTaskCompletedResponse: // it may bring tasks of its own
		for _, a := range resp.GetActivityTasks() {
			p.handOut(a.GetTaskToken(), task{a.GetActivityType().GetName(), identityOf(req)})
		}
		if w := resp.GetWorkflowTask(); w != nil {
			p.handOut(w.GetTaskToken(), task{w.GetWorkflowType().GetName(), identityOf(req)})
		}
	}
	switch req := req.(type) {
	case *workflowservice.RespondActivityTaskCompletedRequest:
		p.at(req.GetTaskToken(), Reported)
	case *workflowservice.RespondWorkflowTaskCompletedRequest:
		p.at(req.GetTaskToken(), Reported)
	}
}

// identityOf is the worker's that a request is from.
func identityOf(req any) string {
	if from, ok := req.(interface{ GetIdentity() string }); ok {
		return from.GetIdentity()
	}
	return ""
}

func (p *Proxy) handOut(token []byte, t task) {
	if len(token) == 0 { // a poll that had nothing
		return
	}
	p.mu.Lock()
	p.tasks[string(token)] = t
	p.mu.Unlock()
	p.at(token, HandedOut)
}

func (p *Proxy) at(token []byte, when When) {
	p.mu.Lock()
	t := p.tasks[string(token)]
	m := Moment{t.name, when}
	handlers := append([]*handler(nil), p.handlers[m]...)
	if when == Reported {
		delete(p.tasks, string(token))
	}
	p.mu.Unlock()
	for _, h := range handlers {
		h.do(t.identity)
	}
}

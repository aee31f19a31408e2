package stack

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/app-sre/git-partition-sync/internal/testserver/child"
)

const (
	startTimeout = time.Minute
	stopTimeout  = 10 * time.Second
)

// Temporal is a running development server, with a namespace for each side.
type Temporal struct {
	Address string // of the gRPC service, host:port
	UI      string // base URL of the web UI
	Clients map[Role]client.Client

	process *child.Process
}

func (s *Stack) startTemporal(ctx context.Context) error {
	t, err := s.runTemporal(ctx)
	if err != nil {
		return s.withLog("temporal", err)
	}
	s.Temporal = t
	s.started("Temporal", t.Address+", web UI "+t.UI, t.close)
	return nil
}

func (s *Stack) runTemporal(ctx context.Context) (_ *Temporal, err error) {
	log, err := s.openLog("temporal")
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	t := &Temporal{
		Address: net.JoinHostPort("127.0.0.1", ports[0]),
		UI:      "http://" + net.JoinHostPort("127.0.0.1", ports[1]),
		Clients: map[Role]client.Client{},
	}
	cmd := exec.Command(s.Binaries.Temporal, "server", "start-dev",
		"--ip", "127.0.0.1", "--port", ports[0], "--ui-port", ports[1],
		"--db-filename", filepath.Join(s.options.Dir, "temporal.db"),
		"--namespace", string(Producer), "--namespace", string(Consumer),
		// A development server has one shard, where a cluster has hundreds, and hands out 20 tasks a
		// second for each.
		"--dynamic-config-value", "history.transferProcessorMaxPollRPS=1000")
	cmd.Env = s.baseEnviron()
	cmd.Stdout, cmd.Stderr = log, log
	if t.process, err = child.Start(cmd); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = t.close()
		}
	}()
	return t, t.awaitReady(ctx)
}

// awaitReady first waits for the port: gRPC would pause between its attempts.
func (t *Temporal) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := t.process.Await(ctx, t.acceptsConnections); err != nil {
		return err
	}
	for _, role := range Roles {
		c, err := client.NewLazyClient(client.Options{
			HostPort:  t.Address,
			Namespace: string(role),
			Logger:    log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		})
		if err != nil {
			return err
		}
		t.Clients[role] = c
		describe := &workflowservice.DescribeNamespaceRequest{Namespace: string(role)}
		err = t.process.Await(ctx, func(ctx context.Context) error {
			_, err := c.WorkflowService().DescribeNamespace(ctx, describe)
			return err
		})
		if err != nil {
			return fmt.Errorf("namespace %q: %w", role, err)
		}
	}
	return nil
}

func (t *Temporal) acceptsConnections(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (t *Temporal) close() error {
	for _, c := range t.Clients {
		c.Close()
	}
	_ = t.process.Stop(stopTimeout) // its status says nothing once it was told to end
	return nil
}

// freePorts are ports that were free a moment ago: the server takes no listener.
func freePorts(n int) ([]string, error) {
	ports := make([]string, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // after the last one is chosen, so that they differ
		ports[i] = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

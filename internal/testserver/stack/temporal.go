package stack

import (
	"context"
	"path/filepath"

	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/internal/testserver/port"
	"github.com/app-sre/git-partition-sync/standalone/devserver"
)

// Temporal is a running development server, with a namespace for each side.
type Temporal struct {
	Address string // of the gRPC service, host:port
	UI      string // base URL of the web UI
	Clients map[Role]client.Client

	server  *devserver.Server
	options devserver.Options
}

// PID is the server's process ID.
func (t *Temporal) PID() int { return t.server.PID() }

// Stop ends the server. What it knows is in its file.
func (t *Temporal) Stop() { t.server.Close() }

// Start starts the server again that was stopped, at the same address. Workers find it there by themselves.
func (t *Temporal) Start(ctx context.Context) (err error) {
	if t.server, err = devserver.Start(ctx, t.options); err != nil {
		return err
	}
	for _, role := range Roles {
		t.Clients[role] = t.server.Clients[string(role)]
	}
	return nil
}

func (s *Stack) startTemporal(ctx context.Context) error {
	log, err := s.openLog("temporal")
	if err != nil {
		return err
	}
	s.closers = append(s.closers, log.Close) // closed after the server, which writes to it until it ends
	address, err := port.Free()
	if err != nil {
		return err
	}
	ui, err := port.Free()
	if err != nil {
		return err
	}
	o := devserver.Options{
		Program:    s.Binaries.Temporal,
		Address:    address,
		UI:         ui,
		Database:   filepath.Join(s.options.Dir, "temporal.db"),
		Namespaces: []string{string(Producer), string(Consumer)},
		Environ:    s.baseEnviron(),
		Log:        log,
	}
	s.Temporal = &Temporal{Address: o.Address, UI: "http://" + o.UI, Clients: map[Role]client.Client{}, options: o}
	if err := s.Temporal.Start(ctx); err != nil {
		return s.withLog("temporal", err)
	}
	s.started("Temporal", o.Address+", web UI "+s.Temporal.UI, func() error {
		s.Temporal.Stop()
		return nil
	})
	return nil
}

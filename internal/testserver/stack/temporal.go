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
	server, err := devserver.Start(ctx, o)
	if err != nil {
		return s.withLog("temporal", err)
	}
	s.Temporal = &Temporal{Address: o.Address, UI: "http://" + o.UI, Clients: map[Role]client.Client{}}
	for _, role := range Roles {
		s.Temporal.Clients[role] = server.Clients[string(role)]
	}
	s.started("Temporal", o.Address+", web UI "+s.Temporal.UI, func() error {
		server.Close()
		return nil
	})
	return nil
}

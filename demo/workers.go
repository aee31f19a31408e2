package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/app-sre/git-partition-sync/internal/testserver/port"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// writeWorkerScripts writes what a person starts a worker with, when one has ended.
func writeWorkerScripts(s *stack.Stack) error {
	for _, role := range stack.Roles {
		if _, err := s.WriteWorkerScript(role); err != nil {
			return err
		}
	}
	return nil
}

// describeMissingWorkers names the sides that nothing works for, and how to start a worker.
func describeMissingWorkers(ctx context.Context, s *stack.Stack) (lines []string) {
	for _, role := range stack.Roles {
		if works, err := s.HasWorker(ctx, role); err == nil && !works {
			lines = append(lines, "", fmt.Sprintf("The %s has no worker any more. Start another one, in another terminal:", role), "  "+filepath.Join(dir, string(role)+"-worker"))
		}
	}
	return lines
}

// healthAddresses finds a place for each side's probes, metrics and status page.
func healthAddresses() (map[stack.Role]string, error) {
	addresses := map[stack.Role]string{}
	for _, role := range stack.Roles {
		address, err := port.Free()
		if err != nil {
			return nil, err
		}
		addresses[role] = address
	}
	return addresses, nil
}

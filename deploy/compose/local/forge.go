package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// The users of a forge besides its administrator.
const (
	developer = "developer" // a person: pushes to the source, looks at the destination
	mirror    = "mirror"    // the worker
)

// fillForge creates at a side's forge the users and what the file of syncs names: branches with a first
// commit at the source, empty projects at the destination.
func fillForge(ctx context.Context, side, file string, env func(string) string) error {
	syncs, err := readSyncs(file)
	if err != nil {
		return err
	}
	token, err := os.ReadFile(env("FORGE_ADMIN_TOKEN_FILE"))
	if err != nil {
		return err
	}
	g := gitea{url: env("FORGE_URL"), token: strings.TrimSpace(string(token))}
	if err := g.addUser(ctx, developer, env("FORGE_PASSWORD")); err != nil {
		return err
	}
	if err := g.addUser(ctx, mirror, env("GITLAB_TOKEN")); err != nil {
		return err
	}
	for _, sync := range syncs {
		switch side {
		case "source":
			err = g.addSource(ctx, sync.Source)
		case "destination":
			err = g.addDestination(ctx, sync.Destination)
		default:
			err = fmt.Errorf("side is %q, not source or destination", side)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func readSyncs(name string) ([]project.Sync, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var file struct{ Syncs []project.Sync }
	if err := yaml.Load(text, &file, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, sync := range file.Syncs {
		if err := sync.Validate(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if strings.Contains(sync.Source.Group+sync.Destination.Group, "/") {
			return nil, fmt.Errorf("%s: %s: Gitea has no subgroups", name, sync)
		}
	}
	return file.Syncs, nil
}

func (g gitea) addSource(ctx context.Context, b project.Branch) error {
	// The first branch that is named becomes the default branch.
	if err := g.addProject(ctx, b, map[string]any{"name": b.Name, "private": true, "auto_init": true, "default_branch": b.Branch}); err != nil {
		return err
	}
	if err := g.addBranch(ctx, b); err != nil {
		return err
	}
	if err := g.addCollaborator(ctx, b, developer, "write"); err != nil {
		return err
	}
	return g.addCollaborator(ctx, b, mirror, "read")
}

func (g gitea) addDestination(ctx context.Context, b project.Branch) error {
	if err := g.addProject(ctx, b, map[string]any{"name": b.Name, "private": true, "default_branch": b.Branch}); err != nil {
		return err
	}
	if err := g.addCollaborator(ctx, b, developer, "read"); err != nil {
		return err
	}
	return g.addCollaborator(ctx, b, mirror, "write")
}

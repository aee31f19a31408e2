package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/app-sre/git-partition-sync/internal/forge/gitea"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// The users of a forge besides its administrator.
const (
	developer = "developer" // a person: pushes to the source, looks at the destination
	mirror    = "mirror"    // the worker
)

// withLFS is the name of a source project that has a file in Git LFS.
const withLFS = "assets"

// provisionForge creates at a side's forge the users and what the file of syncs names: branches with a first
// commit at the source, empty projects at the destination. With WEBHOOK_URL the forge delivers pushes there.
func provisionForge(ctx context.Context, side, file string, env func(string) string) error {
	syncs, err := readSyncs(file)
	if err != nil {
		return err
	}
	token, err := os.ReadFile(env("FORGE_ADMIN_TOKEN_FILE"))
	if err != nil {
		return err
	}
	admin := gitea.Admin{URL: env("FORGE_URL"), Token: strings.TrimSpace(string(token))}
	if err := admin.AddUser(ctx, developer, env("FORGE_PASSWORD")); err != nil {
		return err
	}
	if err := admin.AddUser(ctx, mirror, env("GITLAB_TOKEN")); err != nil {
		return err
	}
	if hook := env("WEBHOOK_URL"); hook != "" {
		if err := admin.AddSystemHook(ctx, hook, env("WEBHOOK_SECRET")); err != nil {
			return err
		}
	}
	for _, sync := range syncs {
		switch side {
		case "source":
			err = addSource(ctx, admin, sync.Source)
		case "destination":
			err = addDestination(ctx, admin, sync.Destination)
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

func addSource(ctx context.Context, admin gitea.Admin, b project.Branch) error {
	// The first branch that is named becomes the default branch.
	if err := admin.AddProject(ctx, b, map[string]any{"name": b.Name, "private": true, "auto_init": true, "default_branch": b.Branch}); err != nil {
		return err
	}
	if err := admin.AddBranch(ctx, b); err != nil {
		return err
	}
	if b.Name == withLFS {
		if err := addLargeFile(ctx, admin, b); err != nil {
			return err
		}
	}
	if err := admin.AddCollaborator(ctx, b, developer, "write"); err != nil {
		return err
	}
	return admin.AddCollaborator(ctx, b, mirror, "read")
}

// addLargeFile adds a file of Git LFS. It is small enough for the API.
func addLargeFile(ctx context.Context, admin gitea.Admin, b project.Branch) error {
	if err := admin.AddFile(ctx, b, ".gitattributes", []byte("*.bin filter=lfs diff=lfs merge=lfs -text\n")); err != nil {
		return err
	}
	content := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(content) // never fails
	return admin.AddFile(ctx, b, "texture.bin", content)
}

func addDestination(ctx context.Context, admin gitea.Admin, b project.Branch) error {
	if err := admin.AddProject(ctx, b, map[string]any{"name": b.Name, "private": true, "default_branch": b.Branch}); err != nil {
		return err
	}
	if err := admin.AddCollaborator(ctx, b, developer, "read"); err != nil {
		return err
	}
	return admin.AddCollaborator(ctx, b, mirror, "write")
}

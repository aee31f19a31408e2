package main

import (
	"context"
	_ "embed"
	"os"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

//go:embed syncs.yaml
var syncs []byte

// sources are the repositories of the source, with the size of their main branches.
var sources = map[string]gitserver.History{
	"platform/router": {Bytes: 2 << 20, Commits: 48},
	"web/router":      {Bytes: 1 << 18, Commits: 24},
	"tools/cli":       {Bytes: 1 << 16, Commits: 12},
	library:           {Bytes: 1 << 17, Commits: 16},
	assets:            {Bytes: 1 << 15, Commits: 4},
}

// library is the project of which all branches and tags are synced.
const library = "platform/library"

// destinations are empty projects, because a project has to exist before it can be pushed to.
var destinations = []string{"enclave/platform/router", "enclave/web/router", "enclave/shared/command-line", "enclave/platform/library", "enclave/" + assets}

// createContent creates the repositories and says what is synced. It returns the large file that one of them has.
func createContent(ctx context.Context, s *stack.Stack) (texture lfs.Object, err error) {
	for repo, history := range sources {
		if err := s.Source.Create(ctx, repo); err != nil {
			return texture, err
		}
		if _, err := s.Source.Generate(ctx, repo, "main", history); err != nil {
			return texture, err
		}
	}
	if _, err := s.Source.Git(ctx, "platform/router", "branch", "release-1.0", "main~8"); err != nil {
		return texture, err
	}
	if _, err := s.Source.Commit(ctx, "platform/router", "release-1.0", map[string]string{"CHANGES": "1.0.1: a fix\n"}, "a fix for 1.0"); err != nil {
		return texture, err
	}
	if err := createLibrary(ctx, s); err != nil {
		return texture, err
	}
	if texture, err = createAssets(ctx, s); err != nil {
		return texture, err
	}
	for _, repo := range destinations {
		if err := s.Destination.Create(ctx, repo); err != nil {
			return texture, err
		}
	}
	return texture, os.WriteFile(s.SyncsFile(), syncs, 0o600)
}

// createLibrary gives the library more branches, and tags of both kinds.
func createLibrary(ctx context.Context, s *stack.Stack) error {
	for _, command := range [][]string{
		{"branch", "develop", "main~2"},
		{"branch", "feature/search", "main~1"},
		{"tag", "nightly", "main"},
	} {
		if _, err := s.Source.Git(ctx, library, command...); err != nil {
			return err
		}
	}
	return release(ctx, s, "v1.0", "main~8")
}

// release makes an annotated tag in the library.
func release(ctx context.Context, s *stack.Stack, tag, commit string) error {
	_, err := s.Source.Git(ctx, library, "-c", "user.name=demo", "-c", "user.email=demo@example.com", "tag", "--annotate", "--message", "release "+tag, tag, commit)
	return err
}

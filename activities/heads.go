package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

const (
	// maxDiscoveries is how many projects' references are read at a time.
	maxDiscoveries = 8
	// maxUnreachable projects in a row mean that the Git server is down, and
	// asking for the rest would only take time.
	maxUnreachable = 2 * maxDiscoveries
)

// readHeads asks the Git server for the heads of all branches, one discovery for each project.
// One project's failure is noted in its heads; only a server that is down fails all. Notes are refs, one of a branch, that are
// looked for along with it.
func readHeads(ctx context.Context, server *smarthttp.Client, branches []project.Branch, notes map[project.Branch]string) (map[project.Branch]plan.Head, error) {
	byProject := map[string][]project.Branch{}
	for _, b := range branches {
		byProject[b.Path()] = append(byProject[b.Path()], b)
	}
	var (
		mu    sync.Mutex
		heads = make(map[project.Branch]plan.Head, len(branches))
		inRow atomic.Int32
	)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxDiscoveries)
	for path, own := range byProject {
		group.Go(func() error {
			found, err := server.Refs(ctx, path, names(own, notes)...)
			unreachable := err != nil && !definite(err)
			if !unreachable {
				inRow.Store(0)
			} else if inRow.Add(1) > maxUnreachable {
				return fmt.Errorf("the git server is unreachable: %w", err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, b := range own {
				heads[b] = plan.Head{Commit: found[b.Ref()], Noted: found[notes[b]] != "", Err: err, Unreachable: unreachable}
			}
			return nil
		})
	}
	return heads, group.Wait()
}

func names(branches []project.Branch, notes map[project.Branch]string) (names []string) {
	for _, b := range branches {
		names = append(names, b.Ref())
		if note := notes[b]; note != "" {
			names = append(names, note)
		}
	}
	return names
}

// definite tells the failures that will be the same when asked again.
func definite(err error) bool {
	for _, target := range []error{smarthttp.ErrUnauthorized, smarthttp.ErrNotFound, smarthttp.ErrObjectFormat, smarthttp.ErrNotGit} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/packfile"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

var (
	// ErrNotCreated says that a destination project does not exist, and that pushing to it did not create it.
	ErrNotCreated = errors.New("the project does not exist, and the server did not create it")
	// ErrPathTaken says that the server did not create a destination project, because something has its path that reads do
	// not find: the project of another run, for a moment, or a group.
	ErrPathTaken = errors.New("the project's path is taken, by another run that creates it or by a group")
	// ErrHiddenProject says that a destination project exists, and that reads do not show it.
	ErrHiddenProject = errors.New("the project exists for pushes, but not for reads")
)

// createdRef is the ref with which a project is created whose LFS objects come before its commits. Push removes it.
func (d destination) createdRef() string { return d.ownFolder() + "created" }

// createProject creates a project that does not exist, by a push of a commit of no files.
func (p *push) createProject(ctx context.Context) error {
	if err := p.groups.create(ctx); err != nil {
		return err
	}
	pack, commit := packfile.NewCommit("git-partition-sync", "git-partition-sync@localhost", "Create the project, so that it can be given its LFS objects")
	return p.classify(ctx, archive.Bundle{}, p.pushRefs(ctx, smarthttp.PushRequest{
		Updates: []smarthttp.RefUpdate{{Ref: p.createdRef(), New: commit}},
		Pack:    bytes.NewReader(pack), PackSize: int64(len(pack)),
	}))
}

// hidden keeps only the text of how a read failed.
func hidden(err error) error { return fmt.Errorf("%w: %v", ErrHiddenProject, err) }

// classifyCreation says why a push to a missing project failed. A server answers alike for a group that does not
// exist, for a user who may not create projects there, and for a project that the user may not see.
func (d destination) classifyCreation(ctx context.Context, err error) error {
	exists := errors.Is(err, smarthttp.ErrHasRefs)
	if !exists && !isAnyOf(err, smarthttp.ErrNotFound, smarthttp.ErrForbidden, smarthttp.ErrRejected) {
		return err
	}
	// GitLab's words to one of two that create a project at the same time. Reads may find it a little later.
	taken := strings.Contains(err.Error(), "already been taken")
	_, readErr := d.commitOf(ctx, d.branch.Ref())
	switch {
	case readErr == nil:
		return fmt.Errorf("the project was created meanwhile: %v", err) // as text: the next attempt finds it
	case taken:
		return fmt.Errorf("%w: %v", ErrPathTaken, err)
	case exists && errors.Is(readErr, smarthttp.ErrNotFound):
		return hidden(readErr)
	case exists:
		return readErr
	}
	return fmt.Errorf("%w in the group %q: %w", ErrNotCreated, d.branch.Group, err)
}

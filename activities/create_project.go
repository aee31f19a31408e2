package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// ErrNotCreated says that a destination project does not exist, and that pushing to it did not create it.
var ErrNotCreated = errors.New("the project does not exist, and the server did not create it")

// classifyCreation says why a push to a missing project failed. A server answers alike for a group that does not
// exist, for a user who may not create projects there, and for a project that the user may not see.
func (d destination) classifyCreation(ctx context.Context, err error) error {
	if !isAnyOf(err, smarthttp.ErrNotFound, smarthttp.ErrForbidden, smarthttp.ErrRejected) {
		return err
	}
	if _, readErr := d.commitOf(ctx, d.branch.Ref()); readErr == nil {
		return fmt.Errorf("the project was created meanwhile: %v", err) // as text: the next attempt finds it
	}
	return fmt.Errorf("%w in the group %q: %w", ErrNotCreated, d.branch.Group, err)
}

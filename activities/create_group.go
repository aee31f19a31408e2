package activities

import (
	"context"
	"errors"
	"fmt"
	"path"

	"go.temporal.io/sdk/activity"

	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// missingGroups are the groups that have to be created before a project, the outermost first.
type missingGroups struct {
	forge GroupForge
	paths []string
}

// missingGroups looks for the groups of a project that does not exist, if they are to be created. This also finds a token
// that may not even look, before anything is transferred.
func (c *Consumer) missingGroups(ctx context.Context, group string) (missing missingGroups, err error) {
	if c.Groups != nil {
		missing.forge = c.Groups
		missing.paths, err = c.Groups.MissingGroups(ctx, group)
	}
	return missing, err
}

// create creates the groups. One that is created stays, whatever becomes of the push.
func (m missingGroups) create(ctx context.Context) error {
	for _, group := range m.paths {
		if err := m.forge.CreateGroup(ctx, group); err != nil {
			return err
		}
		activity.GetLogger(ctx).Info("Created a group", "group", group)
	}
	return nil
}

func (m missingGroups) describe() string {
	if len(m.paths) == 0 {
		return ""
	}
	return fmt.Sprintf(", in the new group %q", m.paths[len(m.paths)-1])
}

// planReader reads the refs that a plan compares. For a plan that is only shown, it also looks for the groups of projects
// that do not exist. Any other leaves that to its runs.
func (c *Consumer) planReader(shown bool) RefReader {
	if !shown || c.Groups == nil {
		return c.Destination
	}
	return groupReader{c.Destination, c.Groups}
}

type groupReader struct {
	RefReader
	groups GroupForge
}

func (r groupReader) EachRef(ctx context.Context, project string, wanted smarthttp.Wanted, visit func(smarthttp.Ref) error) error {
	err := r.RefReader.EachRef(ctx, project, wanted, visit)
	if !errors.Is(err, smarthttp.ErrNotFound) {
		return err
	}
	missing, groupErr := r.groups.MissingGroups(ctx, path.Dir(project))
	if groupErr != nil {
		return groupErr
	}
	return &missingGroupsError{missing, err}
}

// missingGroupsError says that a project does not exist, and which groups have to be created for it.
type missingGroupsError struct {
	paths []string
	error
}

func (e *missingGroupsError) Unwrap() error { return e.error }

func missingGroupsOf(err error) []string {
	if missing, ok := errors.AsType[*missingGroupsError](err); ok {
		return missing.paths
	}
	return nil
}

package gitlabapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
)

// namespace is a group, or the namespace of a user, as the API describes it.
type namespace struct {
	ID       int64  `json:"id"`
	FullPath string `json:"full_path"`
	Kind     string `json:"kind"` // only of namespaces
}

// newGroup is the body of the request that creates a group.
type newGroup struct {
	Name       string `json:"name"`
	Path       string `json:"path"`
	ParentID   int64  `json:"parent_id,omitempty"`
	Visibility string `json:"visibility"`
}

// MissingGroups returns which groups on the path of a group, itself included, do not exist or are hidden from the
// token's user: the outermost first. It looks from the inside, because a member of a subgroup need not see the groups
// around it.
func (c *Client) MissingGroups(ctx context.Context, group string) (missing []string, err error) {
	for at := group; at != "."; at = path.Dir(at) {
		found, err := c.find(ctx, "groups", at)
		if err != nil || found != nil {
			return missing, err
		}
		missing = slices.Insert(missing, 0, at)
	}
	user, err := c.find(ctx, "namespaces", missing[0])
	switch {
	case err != nil || user == nil || user.Kind != "user":
		return missing, err
	case len(missing) > 1:
		return nil, fmt.Errorf("group %q: %w: %q is a user's namespace, in which there are no groups", group, ErrRefused, missing[0])
	}
	return nil, nil
}

// CreateGroup creates a group, private, in one that exists, or in none. It is no error if somebody else has created it
// meanwhile.
func (c *Client) CreateGroup(ctx context.Context, group string) error {
	request := newGroup{Name: path.Base(group), Path: path.Base(group), Visibility: "private"}
	if outer := path.Dir(group); outer != "." {
		parent, err := c.find(ctx, "groups", outer)
		if err != nil {
			return err
		}
		if parent == nil {
			return fmt.Errorf("group %q: %w: %q does not exist", group, ErrRefused, outer)
		}
		request.ParentID = parent.ID
	}
	var created namespace
	err := c.call(ctx, http.MethodPost, c.instance.API("groups"), request, &created)
	if err == nil {
		err = c.check(created, group)
	}
	if isTaken(err) {
		if found, findErr := c.find(ctx, "groups", group); findErr != nil || found != nil {
			return findErr
		}
	}
	if err != nil {
		return fmt.Errorf("create group %q: %w", group, err)
	}
	return nil
}

// isTaken tells whether a group may be refused because its path is taken. GitLab says so in words only.
func isTaken(err error) bool {
	status, ok := errors.AsType[*StatusError](err)
	return ok && slices.Contains([]int{http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity}, status.Code)
}

// find returns nil for what does not exist, or is hidden from the token's user: GitLab does not tell the two apart.
func (c *Client) find(ctx context.Context, collection, name string) (*namespace, error) {
	u := c.instance.API(collection, name)
	u.RawQuery = "with_projects=false" // else a group has its projects with it
	var found namespace
	err := c.call(ctx, http.MethodGet, u, nil, &found)
	if err == nil {
		err = c.check(found, name)
	}
	if status, ok := errors.AsType[*StatusError](err); ok && status.Code == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for group %q: %w", name, err)
	}
	return &found, nil
}

// check makes sure that the answer is about what was asked for. A path of digits alone is an ID to the API.
func (c *Client) check(n namespace, name string) error {
	if n.ID <= 0 || gitlab.CanonicalPath(n.FullPath) != gitlab.CanonicalPath(name) {
		return fmt.Errorf("%w: it is about %q with the id %d", ErrNotGitLab, c.mask.Line(n.FullPath, maxExcerpt), n.ID)
	}
	return nil
}

package smarthttp

import (
	"context"
	"fmt"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

// Refs returns the commits of the refs with these full names in a repository ("group/name"). Refs that do not exist
// are absent from the map.
func (c *Client) Refs(ctx context.Context, repo string, names ...string) (map[string]string, error) {
	if len(names) == 0 { // ls-refs without a prefix lists all refs
		return nil, nil
	}
	return c.listRefs(ctx, repo, refFilter{names: names})
}

// EachRef calls visit for every ref of a repository that has one of the full names, or whose name starts with below.
// It keeps none of them in memory, so there may be any number.
func (c *Client) EachRef(ctx context.Context, repo string, names []string, below string, visit func(ref, commit string)) error {
	_, err := c.listRefs(ctx, repo, refFilter{names: names, prefix: below, visit: visit})
	return err
}

func (c *Client) listRefs(ctx context.Context, repo string, wanted refFilter) (map[string]string, error) {
	u, err := c.options.Forge.Repository(repo)
	if err != nil {
		return nil, err
	}
	for _, name := range wanted.names {
		if !isSafeRefName(name) {
			return nil, fmt.Errorf("invalid ref %q", name)
		}
	}
	ctx, done := httpclient.WithLimit(ctx, c.options.Limits.Discovery)
	defer done()
	refs, err := c.refs(ctx, u, wanted)
	if err != nil {
		return nil, fmt.Errorf("list refs of %s: %w", u, err)
	}
	return refs, nil
}

package smarthttp

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

// Ref is one ref of a repository as the server lists it. Its names are the server's words: they have no spaces and no
// line breaks, and nothing else is known of them.
type Ref struct {
	Name   string // in full, as "refs/tags/v1"
	Object string // 40 hexadecimal digits, of a tag object where it is an annotated tag
	// Peeled is what an annotated tag leads to, and empty for other refs. It is there only if Wanted.Peel asks for it.
	Peeled string
	// SymrefTarget is the full name of the ref that this one points to, and empty for other refs. It is there only if
	// Wanted.Symrefs asks for it. Protocol v0 tells it of HEAD only.
	SymrefTarget string
}

// Wanted selects refs of a repository: those with one of the full names, and those whose name starts with one of the
// prefixes. There may be many names; each ref is compared with every prefix. A zero Wanted selects nothing.
type Wanted struct {
	Names, Prefixes []string
	Peel            bool // asks for Ref.Peeled
	Symrefs         bool // asks for Ref.SymrefTarget, which is of use with "HEAD" among the names
}

func (w Wanted) check() error {
	for _, name := range w.Names {
		if !isSafeRefName(name) {
			return fmt.Errorf("invalid ref %q", name)
		}
	}
	for _, prefix := range w.Prefixes {
		if !isSafeRefName(strings.TrimSuffix(prefix, "/")) {
			return fmt.Errorf("invalid prefix %q of refs", prefix)
		}
	}
	return nil
}

// Refs returns the objects of the refs with these full names in a repository ("group/name"). Refs that do not exist
// are absent from the map.
func (c *Client) Refs(ctx context.Context, repo string, names ...string) (map[string]string, error) {
	found := make(map[string]string, len(names))
	err := c.EachRef(ctx, repo, Wanted{Names: names}, func(ref Ref) error {
		found[ref.Name] = ref.Object
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// EachRef calls visit for every wanted ref of a repository ("group/name"), in the server's order, as they arrive. It
// keeps none of them in memory, so there may be any number. An error of visit ends it, and is returned.
//
// A server may name a ref twice. When EachRef fails, some refs may have been visited.
func (c *Client) EachRef(ctx context.Context, repo string, wanted Wanted, visit func(Ref) error) error {
	if len(wanted.Names) == 0 && len(wanted.Prefixes) == 0 { // ls-refs without a prefix lists all refs
		return nil
	}
	u, err := c.options.Forge.Repository(repo)
	if err != nil {
		return err
	}
	if err := wanted.check(); err != nil {
		return err
	}
	limit := c.options.Limits.Discovery
	if len(wanted.Prefixes) > 0 {
		limit = c.options.Limits.List
	}
	ctx, done := httpclient.WithLimit(ctx, limit)
	defer done()
	if err := c.listRefs(ctx, u, limit, wanted, visit); err != nil {
		return fmt.Errorf("list refs of %s: %w", u, err)
	}
	return nil
}

func (c *Client) listRefs(ctx context.Context, repo *url.URL, limit time.Duration, wanted Wanted, visit func(Ref) error) error {
	return c.withAdvertisement(ctx, repo, limit, func(adv *advertisement) (begun bool, err error) {
		refs := newRefLines(wanted, func(ref Ref) error {
			begun = true
			return visit(ref)
		})
		if adv.v2 {
			err = c.lsRefs(ctx, adv, refs)
		} else {
			err = adv.readRefs(refs)
		}
		return begun, err
	})
}

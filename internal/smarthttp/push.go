package smarthttp

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
)

// PushRequest moves refs to objects that come in a pack. A request that only deletes refs needs no pack.
type PushRequest struct {
	Repo string // "group/name"

	// Updates are at least one, and of each ref at most one. Several are one transaction: all are applied, or none.
	Updates []RefUpdate
	// Apart makes each update a transaction of its own: those that are not refused are applied.
	Apart bool
	// NoRefs requires that the repository has no refs yet.
	NoRefs bool
	// Atomic requires a server with transactions even for one ref, if a later push will need them.
	Atomic bool

	Pack     io.Reader
	PackSize int64 // bytes, exactly
	Thin     bool  // the pack builds on objects that are not in it
}

// EmptyPack is a pack without objects, for moving refs to commits that the server has.
var EmptyPack = emptyPack()

func emptyPack() []byte {
	pack := []byte("PACK\x00\x00\x00\x02\x00\x00\x00\x00")
	sum := sha1.Sum(pack)
	return append(pack, sum[:]...)
}

// Push sends the pack and moves the refs, whether or not that is a fast-forward. The pack is not read after Push has
// returned.
//
// Before it sends anything, it fails with *MovedError when one of the refs is not at Old, and with ErrHasRefs, ErrNoThin
// or ErrNoAtomic. Afterwards it fails with *RefusedError when the server refuses the push.
func (c *Client) Push(ctx context.Context, req PushRequest) error {
	u, err := c.options.Forge.Repository(req.Repo)
	if err != nil {
		return err
	}
	if err := c.push(ctx, u, req); err != nil {
		return fmt.Errorf("push to %s: %w", u, err)
	}
	return nil
}

func (c *Client) push(ctx context.Context, repo *url.URL, req PushRequest) error {
	commands, size, err := c.commands(req)
	if err != nil {
		return err
	}
	target, err := c.checkPushable(ctx, repo, req)
	if err != nil {
		return err
	}
	content := io.Reader(commands)
	if req.sendsPack() {
		size, content = size+req.PackSize, io.MultiReader(commands, req.Pack)
	}
	body := &revocableReader{r: content}
	defer func() { _ = body.Close() }()
	resp, err := c.post(ctx, target, receivePack, body, size, http.Header{})
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	return readReport(c.readPackets(resp.Body), req.Updates)
}

func (r PushRequest) needsAtomic() bool { return !r.Apart && (r.Atomic || len(r.Updates) > 1) }

func (r PushRequest) sendsPack() bool {
	return slices.ContainsFunc(r.Updates, func(u RefUpdate) bool { return u.New != "" })
}

// checkPushable checks whether the push can succeed, and returns the URL to send it to.
func (c *Client) checkPushable(ctx context.Context, repo *url.URL, req PushRequest) (*url.URL, error) {
	adv, err := c.discover(ctx, repo, receivePack, c.options.Limits.Advertisement)
	if err != nil {
		return nil, err
	}
	defer adv.close()
	if req.NoRefs && adv.hasRefs() {
		return nil, ErrHasRefs
	}
	if err := checkTips(adv, req.Updates); err != nil {
		return nil, err
	}
	if req.Thin && slices.Contains(adv.caps, "no-thin") {
		return nil, ErrNoThin
	}
	if !slices.Contains(adv.caps, "report-status") || !slices.Contains(adv.caps, "side-band-64k") {
		return nil, errors.New("server does not report the outcome of a push")
	}
	if req.needsAtomic() && !slices.Contains(adv.caps, "atomic") {
		return nil, ErrNoAtomic
	}
	return adv.url, nil
}

// PushedTip returns the object of a ref as pushes see it: a server may hide refs from these, or from reads alone. It is empty if
// there is no such ref.
func (c *Client) PushedTip(ctx context.Context, repo, ref string) (tip string, err error) {
	u, err := c.options.Forge.Repository(repo)
	if err != nil {
		return "", err
	}
	adv, err := c.discover(ctx, u, receivePack, c.options.Limits.Advertisement)
	if err == nil {
		defer adv.close()
		err = adv.readRefs(newRefLines(Wanted{Names: []string{ref}}, func(r Ref) error {
			tip = r.Object
			return nil
		}))
	}
	if err != nil {
		return "", fmt.Errorf("ask %s where %q is: %w", u, ref, err)
	}
	return tip, nil
}

// checkTips fails with *MovedError for the first ref that is not where an update expects it.
func checkTips(adv *advertisement, updates []RefUpdate) error {
	var wanted Wanted
	for _, update := range updates {
		wanted.Names = append(wanted.Names, update.Ref)
	}
	tips := make(map[string]string, len(updates))
	err := adv.readRefs(newRefLines(wanted, func(ref Ref) error {
		tips[ref.Name] = ref.Object
		return nil
	}))
	if err != nil {
		return err
	}
	for _, update := range updates {
		if tip := tips[update.Ref]; tip != update.Old {
			return &MovedError{Ref: update.Ref, Expected: update.Old, Tip: tip}
		}
	}
	return nil
}

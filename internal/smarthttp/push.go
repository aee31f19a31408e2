package smarthttp

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// PushRequest moves a ref to a commit that comes in a pack. A request that only deletes refs needs no pack.
type PushRequest struct {
	Repo string // "group/name"
	RefUpdate
	// MoreUpdates are applied in the same transaction: all updates, or none.
	MoreUpdates []RefUpdate
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
	commands, err := c.encodeCommands(req)
	if err != nil {
		return err
	}
	target, err := c.checkPushable(ctx, repo, req)
	if err != nil {
		return err
	}
	size, content := int64(commands.Len()), io.Reader(commands)
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
	return readReport(c.readPackets(resp.Body), req.refs())
}

func (r PushRequest) updates() []RefUpdate { return append([]RefUpdate{r.RefUpdate}, r.MoreUpdates...) }

func (r PushRequest) refs() (refs []string) {
	for _, update := range r.updates() {
		refs = append(refs, update.Ref)
	}
	return refs
}

func (r PushRequest) needsAtomic() bool { return r.Atomic || len(r.MoreUpdates) > 0 }

func (r PushRequest) sendsPack() bool {
	return slices.ContainsFunc(r.updates(), func(u RefUpdate) bool { return u.New != "" })
}

// checkPushable checks whether the push can succeed, and returns the URL to send it to.
func (c *Client) checkPushable(ctx context.Context, repo *url.URL, req PushRequest) (*url.URL, error) {
	adv, err := c.discover(ctx, repo, receivePack)
	if err != nil {
		return nil, err
	}
	defer adv.close()
	if req.NoRefs && adv.hasRefs() {
		return nil, ErrHasRefs
	}
	tips, err := adv.refs(refFilter{names: req.refs()})
	if err != nil {
		return nil, err
	}
	for _, update := range req.updates() {
		if tip := tips[update.Ref]; tip != update.Old {
			return nil, &MovedError{Ref: update.Ref, Expected: update.Old, Tip: tip}
		}
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

func (c *Client) encodeCommands(req PushRequest) (*bytes.Buffer, error) {
	caps := "\x00 report-status side-band-64k agent=" + c.options.Agent
	if req.needsAtomic() {
		caps += " atomic"
	}
	var lines []string
	for _, update := range req.updates() {
		command, err := update.encodeCommand()
		if err != nil {
			return nil, err
		}
		lines = append(lines, command+caps)
		caps = ""
	}
	var body bytes.Buffer
	return &body, pktline.NewEncoder(&body).EncodeString(append(lines, pktline.FlushString)...)
}

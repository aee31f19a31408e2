package smarthttp

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

const (
	nullHash  = "0000000000000000000000000000000000000000"
	maxReport = 64 << 10 // bytes, beside a line for each ref

	unpackFailed  = "unpack failed: "
	atomicFailure = "atomic push failure" // what receive-pack says of refs that others have stopped
)

// RefUpdate moves one ref, given by its full name.
type RefUpdate struct {
	Ref string
	Old string // the commit that it points to; empty if it does not exist
	New string // empty deletes it
}

func (u RefUpdate) encodeCommand() (string, error) {
	for _, commit := range []string{u.Old, u.New} {
		if commit != "" && (!isHash(commit) || commit == nullHash) {
			return "", fmt.Errorf("invalid commit %q", commit)
		}
	}
	if u.Old == "" && u.New == "" {
		return "", fmt.Errorf("nothing to do for %q", u.Ref)
	}
	if !isSafeRefName(u.Ref) {
		return "", fmt.Errorf("invalid ref %q", u.Ref)
	}
	return cmp.Or(u.Old, nullHash) + " " + cmp.Or(u.New, nullHash) + " " + u.Ref, nil
}

// PushRequest moves a ref to a commit that comes in a pack. Refs that are only deleted need none.
type PushRequest struct {
	Repo string // "group/name"
	RefUpdate
	// MoreUpdates is what changes along with it: all of it, or nothing.
	MoreUpdates []RefUpdate
	// Atomic is for a push of one ref that is in vain unless a later one of several can follow.
	Atomic bool

	Pack     io.Reader
	PackSize int64 // bytes, exactly
	Thin     bool  // the pack builds on objects that are not in it
}

// EmptyPack is a pack without objects, for refs that move to what the server has.
var EmptyPack = emptyPack()

func emptyPack() []byte {
	pack := []byte("PACK\x00\x00\x00\x02\x00\x00\x00\x00")
	sum := sha1.Sum(pack)
	return append(pack, sum[:]...)
}

// Push sends the pack and moves the refs, whether or not that is a
// fast-forward. The pack is not read after Push has returned.
//
// The errors are *MovedError when one of the refs is not at Old, ErrNoThin and ErrNoAtomic,
// all before anything is sent, and *RefusedError.
func (c *Client) Push(ctx context.Context, req PushRequest) error {
	u, err := c.forge.Repository(req.Repo)
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

// checkPushable checks that the push can succeed, and returns the URL to send it to.
func (c *Client) checkPushable(ctx context.Context, repo *url.URL, req PushRequest) (*url.URL, error) {
	adv, err := c.discover(ctx, repo, receivePack)
	if err != nil {
		return nil, err
	}
	defer adv.close()
	tips, err := adv.refs(refFilter{names: req.refs()})
	if err != nil {
		return nil, err
	}
	for _, update := range req.updates() {
		if tip := tips[update.Ref]; tip != update.Old {
			return nil, &MovedError{Ref: update.Ref, Expected: update.Old, Tip: tip}
		}
	}
	if req.Thin && adv.caps.has("no-thin") {
		return nil, ErrNoThin
	}
	if !adv.caps.has("report-status") || !adv.caps.has("side-band-64k") {
		return nil, errors.New("server does not report the outcome of a push")
	}
	if req.needsAtomic() && !adv.caps.has("atomic") {
		return nil, ErrNoAtomic
	}
	return adv.url, nil
}

func (c *Client) encodeCommands(req PushRequest) (*bytes.Buffer, error) {
	caps := "\x00 report-status side-band-64k agent=" + c.agent
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

// readReport reads the answer of receive-pack: its report-status within the
// side-band, and what its hooks print beside.
func readReport(pkts *pktReader, refs []string) error {
	band := newSideband(pkts)
	var report packp.ReportStatus
	limit := int64(maxReport)
	for _, ref := range refs {
		limit += int64(len(ref)) + maxLineLength
	}
	if err := report.Decode(io.LimitReader(band, limit)); err != nil {
		if band.err != nil && band.err != io.EOF {
			return band.err
		}
		return band.withServerText(fmt.Errorf("malformed push report: %s", pkts.mask.Line(err.Error(), maxLineLength)))
	}
	// The report is final. What follows are hooks that still run, and they are
	// given the time to say why; but what else the server adds has an end, too.
	_, _ = io.CopyN(io.Discard, band, maxReport)
	var refused *RefusedError
	for _, ref := range refs {
		reason, err := refusalReason(&report, ref)
		if err != nil {
			return err
		}
		// Of a transaction's refs, the one that stopped it is told before those that were stopped along with it.
		if reason != "" && (refused == nil || strings.Contains(refused.Reason, atomicFailure)) {
			refused = &RefusedError{Ref: ref, Reason: pkts.mask.Line(reason, maxLineLength), Messages: band.messages.Lines(pkts.mask)}
		}
	}
	if refused != nil {
		return refused
	}
	return nil
}

// refusalReason returns why the ref was not updated, or "" if it was.
func refusalReason(report *packp.ReportStatus, ref string) (string, error) {
	const ok = "ok"
	if report.UnpackStatus != ok {
		return unpackFailed + report.UnpackStatus, nil
	}
	for _, status := range report.CommandStatuses {
		if status.ReferenceName.String() != ref {
			continue
		}
		if status.Status == ok {
			return "", nil
		}
		return "not updated: " + status.Status, nil
	}
	return "", fmt.Errorf("server did not report whether it updated %q", ref)
}

// revocableReader is the caller's reader on loan to the transport, which may go on
// reading after it has returned an early answer. Close ends that for certain.
type revocableReader struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *revocableReader) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.r == nil {
		return 0, os.ErrClosed
	}
	return l.r.Read(b)
}

func (l *revocableReader) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.r = nil
	return nil
}

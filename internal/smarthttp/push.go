package smarthttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

const (
	noCommit  = "0000000000000000000000000000000000000000"
	maxReport = 64 << 10

	unpackFailed = "unpack failed: "
)

// PushRequest moves one branch to a commit that comes in a pack.
type PushRequest struct {
	Repo   string // "group/name"
	Branch string
	Old    string // the commit that the branch points to; empty if it does not exist
	New    string

	Pack     io.Reader
	PackSize int64 // bytes, exactly
	Thin     bool  // the pack builds on objects that are not in it
}

// Push sends the pack and moves the branch, whether or not that is a
// fast-forward. The pack is not read after Push has returned.
//
// The errors are *BranchMovedError when the branch is not at Old, ErrNoThin,
// both before anything is sent, and *RefusedError.
func (c *Client) Push(ctx context.Context, req PushRequest) error {
	u, err := c.repository(req.Repo)
	if err != nil {
		return err
	}
	if err := c.push(ctx, u, req); err != nil {
		return fmt.Errorf("push to %s: %w", u, err)
	}
	return nil
}

func (c *Client) push(ctx context.Context, repo *url.URL, req PushRequest) error {
	ref, err := refName(req.Branch)
	if err != nil {
		return err
	}
	target, err := c.prepare(ctx, repo, req, ref)
	if err != nil {
		return err
	}
	commands, err := c.encodeCommand(req, ref)
	if err != nil {
		return err
	}
	size := int64(commands.Len()) + req.PackSize
	body := &lentReader{r: io.MultiReader(commands, req.Pack)}
	defer func() { _ = body.Close() }()
	resp, err := c.post(ctx, target, receivePack, body, size, http.Header{})
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	return readReport(resp.Body, ref)
}

// prepare checks that the push can succeed, and returns the URL to send it to.
func (c *Client) prepare(ctx context.Context, repo *url.URL, req PushRequest, ref string) (*url.URL, error) {
	adv, err := c.discover(ctx, repo, receivePack)
	if err != nil {
		return nil, err
	}
	defer adv.close()
	tips, err := adv.tips(refSet{ref: true})
	if err != nil {
		return nil, err
	}
	if tip := tips[req.Branch]; tip != req.Old {
		return nil, &BranchMovedError{Branch: req.Branch, Expected: req.Old, Tip: tip}
	}
	if req.Thin && adv.caps.has("no-thin") {
		return nil, ErrNoThin
	}
	if !adv.caps.has("report-status") || !adv.caps.has("side-band-64k") {
		return nil, errors.New("server does not report the outcome of a push")
	}
	return adv.url, nil
}

func (c *Client) encodeCommand(req PushRequest, ref string) (*bytes.Buffer, error) {
	old := req.Old
	if old == "" {
		old = noCommit
	}
	if !isHash(req.New) || req.New == noCommit {
		return nil, fmt.Errorf("invalid commit %q", req.New)
	}
	line := fmt.Sprintf("%s %s %s\x00 report-status side-band-64k agent=%s", old, req.New, ref, c.agent)
	var body bytes.Buffer
	return &body, pktline.NewEncoder(&body).EncodeString(line, pktline.FlushString)
}

// readReport reads the answer of receive-pack: its report-status within the
// side-band, and what its hooks print beside.
func readReport(r io.Reader, ref string) error {
	band := newSideband(newPktReader(r))
	var report packp.ReportStatus
	if err := report.Decode(io.LimitReader(band, maxReport)); err != nil {
		if band.err != nil && band.err != io.EOF {
			return band.err
		}
		return band.explain(fmt.Errorf("malformed push report: %s", clean(err.Error(), maxLine)))
	}
	// The report is final. What follows are hooks that still run, and they are
	// given the time to say why.
	_, _ = io.Copy(io.Discard, band)
	reason, err := refusal(&report, ref)
	if err != nil || reason == "" {
		return err
	}
	return &RefusedError{Ref: ref, Reason: clean(reason, maxLine), Messages: band.messages.last()}
}

// refusal returns why the ref was not updated, or "" if it was.
func refusal(report *packp.ReportStatus, ref string) (string, error) {
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

// lentReader is the caller's reader on loan to the transport, which may go on
// reading after it has returned an early answer. Close ends that for certain.
type lentReader struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *lentReader) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.r == nil {
		return 0, os.ErrClosed
	}
	return l.r.Read(b)
}

func (l *lentReader) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.r = nil
	return nil
}

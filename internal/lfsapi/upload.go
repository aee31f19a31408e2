package lfsapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

// Upload sends an object that the server was asked about for an Upload, and that it needs, and has the server verify it
// if it wants to. The caller has checked the content, which is not read after Upload has returned.
func (c *Client) Upload(ctx context.Context, t Transfer, content io.ReaderAt) error {
	err := t.check(Upload)
	if err == nil && t.Needed() {
		err = c.withLink(ctx, t, func(t Transfer) error {
			if !t.Needed() { // somebody else was faster
				return nil
			}
			return c.sendAndVerify(ctx, t, content)
		})
	}
	if err != nil {
		return fmt.Errorf("upload the LFS object %s: %w", t.OID, err)
	}
	return nil
}

func (c *Client) sendAndVerify(ctx context.Context, t Transfer, content io.ReaderAt) error {
	err := c.patiently(ctx, func() error { return c.put(ctx, t, content) })
	if err != nil || t.verify == nil {
		return err
	}
	if err := c.patiently(ctx, func() error { return c.checkUploaded(ctx, t) }); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return nil
}

func (c *Client) put(ctx context.Context, t Transfer, content io.ReaderAt) error {
	req, err := c.request(ctx, t.link, http.MethodPut, http.Header{"Content-Type": {"application/octet-stream"}})
	if err != nil {
		return err
	}
	if t.Size > 0 {
		body := &objectBody{content: content, size: t.Size}
		defer func() { _ = body.Close() }()
		req.Body, req.ContentLength = body, t.Size
		if t.link.chunked {
			req.ContentLength = -1
		}
	}
	return c.expectSuccess(req, httpclient.Limits{Idle: c.options.Limits.Idle, Answer: c.options.Limits.Answer})
}

// checkUploaded asks the server whether it has the object.
func (c *Client) checkUploaded(ctx context.Context, t Transfer) error {
	body, err := json.Marshal(t.Object)
	if err != nil {
		return err
	}
	ctx, done := httpclient.WithLimit(ctx, c.options.Limits.Batch)
	defer done()
	req, err := c.request(ctx, t.verify, http.MethodPost, http.Header{"Content-Type": {mediaType}, "Accept": {mediaType}})
	if err != nil {
		return err
	}
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return c.expectSuccess(req, httpclient.Limits{Idle: c.options.Limits.Batch})
}

func (c *Client) expectSuccess(req *http.Request, limits httpclient.Limits) error {
	resp, err := c.send(req, limits)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	defer drain(resp.Body)
	if resp.StatusCode/100 != 2 {
		return c.refusal(resp, ofUpload, Upload)
	}
	return nil
}

// errShort is not io.ErrUnexpectedEOF, which would be the connection's.
var errShort = errors.New("the content ends before its size")

// objectBody lends the content to the transport, which may go on reading after it has returned an early answer. After
// Close, it reads no more.
type objectBody struct {
	mu      sync.Mutex
	content io.ReaderAt
	at      int64
	size    int64 // bytes, exactly
	closed  bool
}

func (b *objectBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, os.ErrClosed
	case b.at == b.size:
		return 0, io.EOF
	}
	n, err := b.content.ReadAt(p[:min(int64(len(p)), b.size-b.at)], b.at)
	b.at += int64(n)
	switch {
	case b.at == b.size:
		return n, nil
	case err == io.EOF:
		return n, errShort
	}
	return n, err
}

func (b *objectBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

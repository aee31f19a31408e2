package lfsapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/redirect"
)

const (
	mediaType  = "application/vnd.git-lfs+json"
	batchPath  = "/info/lfs/objects/batch"
	maxBatch   = 100 // objects in a request, as git-lfs asks
	maxExcerpt = 300 // characters of foreign words in an error
)

// batch is a request about objects, and where its answer came from.
type batch struct {
	project  string
	op       Operation
	server   *url.URL // the URL that answered
	answered time.Time
}

// Batch asks a project ("group/name") about objects, and returns its answers in their order. It takes any number, and
// asks about 100 at a time; as links expire, ask about those that are transferred next. An object may be there more than
// once, also with another size.
//
// It fails with ErrDisabled and others of this package. What concerns one object is in its Transfer.
func (c *Client) Batch(ctx context.Context, project string, op Operation, objects []lfs.Object) ([]Transfer, error) {
	repository, err := c.options.Forge.Repository(project)
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		if err := o.Validate(); err != nil {
			return nil, err
		}
	}
	transfers := make([]Transfer, len(objects))
	for _, group := range split(objects) {
		asked := make([]lfs.Object, len(group))
		for i, at := range group {
			asked[i] = objects[at]
		}
		answers, err := c.askPatiently(ctx, repository, batch{project: project, op: op}, asked)
		if err != nil {
			return nil, fmt.Errorf("ask %s about LFS objects: %w", repository, err)
		}
		for i, at := range group {
			transfers[at] = answers[i]
		}
	}
	return transfers, nil
}

// split returns indexes of objects in groups for a request each, in which each OID is once.
func split(objects []lfs.Object) (groups [][]int) {
	var rounds [][]int // the first object with each OID, the second…
	seen := make(map[string]int, len(objects))
	for i, o := range objects {
		n := seen[o.OID]
		seen[o.OID]++
		if n == len(rounds) {
			rounds = append(rounds, nil)
		}
		rounds[n] = append(rounds[n], i)
	}
	for _, round := range rounds {
		groups = slices.AppendSeq(groups, slices.Chunk(round, maxBatch))
	}
	return groups
}

func (c *Client) askPatiently(ctx context.Context, repository *url.URL, b batch, objects []lfs.Object) (transfers []Transfer, err error) {
	err = c.patiently(ctx, func() error {
		transfers, err = c.ask(ctx, repository, b, objects)
		return err
	})
	return transfers, err
}

// ask sends one request.
func (c *Client) ask(ctx context.Context, repository *url.URL, b batch, objects []lfs.Object) ([]Transfer, error) {
	body, err := json.Marshal(map[string]any{
		"operation": b.op, "transfers": []string{"basic"}, "hash_algo": "sha256", "objects": objects,
	})
	if err != nil {
		return nil, err
	}
	ctx, done := httpclient.WithLimit(ctx, c.options.Limits.Batch)
	defer done()
	resp, err := c.postBatch(ctx, repository.JoinPath(batchPath), body)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	defer drain(resp.Body)
	text, err := c.readAnswer(resp, b.op)
	if err != nil {
		return nil, err
	}
	b.server, b.answered = resp.Request.URL, time.Now()
	return c.parseAnswer(text, b, objects)
}

// postBatch follows the redirects of a project that was renamed, with the request as it is.
func (c *Client) postBatch(ctx context.Context, target *url.URL, body []byte) (*http.Response, error) {
	for hops := 0; ; hops++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Accept", mediaType)
		req.Header.Set("Content-Type", mediaType)
		req.Header.Set("User-Agent", c.options.Agent)
		c.authenticate(req)
		resp, err := httpclient.Do(c.options.HTTP, req, httpclient.Limits{Idle: c.options.Limits.Batch})
		if err != nil {
			return nil, c.mask.Error(err, maxExcerpt)
		}
		if !isRedirect(resp.StatusCode) {
			return resp, nil
		}
		next, err := location(resp)
		drain(resp.Body)
		_ = resp.Body.Close()
		if err == nil {
			err = c.checkBatchRedirect(resp.StatusCode, target, next, hops)
		}
		if err != nil {
			return nil, err
		}
		target = next
	}
}

// checkBatchRedirect lets a request with credentials go on at the same server, to a project that is allowed.
func (c *Client) checkBatchRedirect(status int, from, to *url.URL, hops int) error {
	repository, isBatch := strings.CutSuffix(to.Path, batchPath)
	switch {
	case !redirect.Stays(from, to) || to.User != nil:
		return fmt.Errorf("%w to another server %s: refusing to send credentials there", redirect.ErrRefused, c.nameOf(to))
	case status == http.StatusSeeOther || !isBatch:
		return fmt.Errorf("%w to what is no LFS server", redirect.ErrRefused)
	case hops >= redirect.MaxRedirects:
		return fmt.Errorf("%w more than %d times", redirect.ErrRefused, redirect.MaxRedirects)
	case to.Path == from.Path:
		return nil
	}
	project, below := c.options.Forge.Project(&url.URL{Path: repository})
	if !below || c.options.AllowRedirectTo == nil || !c.options.AllowRedirectTo(project) {
		return fmt.Errorf("%w: %q", ErrMovedElsewhere, c.mask.Line(project, maxMessage))
	}
	return nil
}

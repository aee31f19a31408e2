package lfsapi

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/app-sre/git-partition-sync/internal/lfs"
)

const (
	answersKept = 10 * time.Minute
	maxAnswers  = 10_000 // projects; 100 bytes each
)

// emptyOID is the SHA-256 of nothing.
const emptyOID = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// Enabled tells whether there is LFS in a project ("group/name"): whether the server answers to a question about an
// object as an LFS server does, whatever it says of the object. Without LFS there is an answer of 404, 405, 410 or 501.
// Everything else is an error.
//
// That there is LFS is kept for 10 minutes. That there is none is not kept at all: who switches it on pushes large files next,
// and their commits would go without them.
func (c *Client) Enabled(ctx context.Context, project string) (bool, error) {
	if c.enabled.has(project) {
		return true, nil
	}
	_, err := c.Batch(ctx, project, Download, []lfs.Object{{OID: emptyOID}})
	if err != nil && !errors.Is(err, ErrDisabled) {
		return false, err
	}
	if err != nil {
		return false, nil
	}
	c.enabled.add(project)
	return true, nil
}

// projectsWithLFS are those that have said so, and until when that holds.
type projectsWithLFS struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (p *projectsWithLFS) has(project string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.until[project])
}

func (p *projectsWithLFS) add(project string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil || len(p.until) >= maxAnswers {
		p.until = map[string]time.Time{}
	}
	p.until[project] = time.Now().Add(answersKept)
}

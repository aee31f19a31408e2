package smarthttp

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

const (
	// knownFor is how long a repository counts as one of protocol v2 without having said so again.
	knownFor = 24 * time.Hour
	// maxKnown bounds how many repositories are remembered. It is the most that a producer syncs.
	maxKnown = 50_000
)

// knownV2 are the repositories that have spoken protocol v2 as SHA-1 repositories, and until when they need not be asked whether they
// do. Of one server, each has its own: it may pass some on to an older backend.
//
// Repositories to which the server redirects are not among them: each redirect has to be seen, and be allowed.
type knownV2 struct {
	mu    sync.Mutex
	until map[string]time.Time // by the path of the repository's URL
}

func (k *knownV2) has(repo *url.URL) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Now().Before(k.until[repo.EscapedPath()])
}

// add remembers a repository, unless there is no room beside those that are still known.
func (k *knownV2) add(repo *url.URL) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if len(k.until) >= maxKnown {
		for path, until := range k.until {
			if !now.Before(until) {
				delete(k.until, path)
			}
		}
	}
	if k.until == nil {
		k.until = map[string]time.Time{}
	}
	if len(k.until) < maxKnown {
		k.until[repo.EscapedPath()] = now.Add(knownFor)
	}
}

func (k *knownV2) remove(repo *url.URL) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.until, repo.EscapedPath())
}

// withAdvertisement calls use with what a repository advertises to who fetches. One that is known to speak protocol v2 is not asked for
// that. If use then fails, the repository may have become another one, or its server: it is not known any more. It is asked, and use called
// once more, unless use has said that it has begun to pass on what it got, or that would only be another wait.
func (c *Client) withAdvertisement(ctx context.Context, repo *url.URL, limit time.Duration, use func(*advertisement) (begun bool, err error)) error {
	if c.known.has(repo) {
		begun, err := use(&advertisement{url: repo, v2: true})
		if err == nil || errors.Is(err, httpclient.ErrRateLimited) || errors.Is(err, httpclient.ErrNoTurn) {
			return err
		}
		c.known.remove(repo) // also after a silence: it may be all that another backend has for protocol v2
		if begun || !mayBeOutdated(ctx, err) {
			return err
		}
	}
	adv, err := c.discover(ctx, repo, uploadPack, limit)
	if err != nil {
		return err
	}
	defer adv.close()
	if _, err := use(adv); err != nil {
		return err
	}
	if adv.v2 && adv.url.String() == repo.String() {
		c.known.add(repo)
	}
	return nil
}

// mayBeOutdated tells whether a request can have failed because it was made for what the repository was. Nearly every error can say so: a
// proxy may have nothing but a status for a backend that does not understand. Others would only be waited for twice.
func mayBeOutdated(ctx context.Context, err error) bool {
	switch {
	case ctx.Err() != nil, errors.Is(err, httpclient.ErrSilent):
		return false
	case errors.Is(err, httpclient.ErrNoConnection):
		return errors.Is(err, httpclient.ErrClosed) // also a connection that was idle for too long
	}
	return true
}

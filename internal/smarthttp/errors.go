package smarthttp

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/packfile"
	"github.com/app-sre/git-partition-sync/internal/redirect"
)

// Errors that a caller tells apart with errors.Is. Those of connections and silence are in package httpclient.
var (
	ErrUnauthorized = errors.New("credentials refused")
	ErrForbidden    = errors.New("not allowed to the credentials' owner")
	ErrNotFound     = errors.New("repository not found, or the credentials may not read it")
	ErrTooLarge     = errors.New("request too large for the server")
	ErrRateLimited  = httpclient.ErrRateLimited
	ErrRejected     = errors.New("request rejected")
	ErrUnavailable  = httpclient.ErrUnavailable
	ErrServerFailed = errors.New("server failed")
	ErrNotGit       = errors.New("answer is not from a git server")
	ErrRedirected   = redirect.ErrRefused
	ErrObjectFormat = errors.New("repository does not use SHA-1")
	ErrNotOurRef    = errors.New("commit is no longer on any branch of the repository")
	ErrCorruptPack  = packfile.ErrCorrupt
	ErrHasRefs      = errors.New("repository has refs already")
	ErrNoThin       = errors.New("server does not accept thin packs")
	ErrNoAtomic     = errors.New("server does not move several refs in one transaction (atomic)")

	// ErrMovedElsewhere is a redirect within the server to a repository that Options.AllowRedirectTo does not allow.
	ErrMovedElsewhere = errors.New("moved to a repository that is not allowed")
)

// MovedError says that a ref is not at the commit that the caller expected. An empty commit means that the ref does
// not exist.
type MovedError struct {
	Ref      string
	Expected string
	Tip      string
}

func (e *MovedError) Error() string {
	return fmt.Sprintf("%q moved: expected %s, found %s", e.Ref, cmp.Or(e.Expected, "nothing"), cmp.Or(e.Tip, "nothing"))
}

// classifyRemoteError returns an error for the text of an ERR packet or of the side-band's error channel.
func (p *pktReader) classifyRemoteError(text string) error {
	text = p.mask.Line(text, maxLineLength)
	lower := strings.ToLower(text)
	switch {
	case strings.Contains(lower, "not our ref"):
		return fmt.Errorf("%w (%s)", ErrNotOurRef, text)
	case strings.Contains(lower, "not found"), strings.Contains(lower, "not exported"), p.notFound != nil && p.notFound(text):
		return fmt.Errorf("%w (%s)", ErrNotFound, text)
	}
	return fmt.Errorf("%w: %s", ErrServerFailed, text)
}

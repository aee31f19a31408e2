package bucket

import (
	"fmt"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// listing checks that the pages form one consistent listing.
type listing struct {
	nextToken  string
	seenTokens map[string]bool // of all pages so far
	lastKey    string          // the last printable key
	lastFolder string          // likewise
	keyCount   int
	emptyPages int // pages in a row
}

// addPage checks the next page, and tells whether there is another.
func (l *listing) addPage(p listingPage) (more bool, err error) {
	keys := len(p.objects) + len(p.folders)
	l.keyCount += keys
	for _, o := range p.objects {
		if err := follow(&l.lastKey, o.Key); err != nil {
			return false, err
		}
	}
	for _, folder := range p.folders {
		if err := follow(&l.lastFolder, folder); err != nil {
			return false, err
		}
	}
	l.emptyPages++
	if keys > 0 {
		l.emptyPages = 0
	}
	switch {
	case !p.truncated:
		return false, nil
	case p.nextToken == "":
		return false, fmt.Errorf("%w: the server says after %d keys that there are more, and not how to get them", ErrBrokenListing, l.keyCount)
	case l.seenTokens[p.nextToken]:
		return false, fmt.Errorf("%w: the server names the same page again as the next, after %d keys", ErrBrokenListing, l.keyCount)
	case l.keyCount > maxListed, l.emptyPages > maxEmptyPages:
		return false, fmt.Errorf("%w: it does not end: %d keys, then %d pages without one", ErrBrokenListing, l.keyCount, l.emptyPages)
	}
	l.seenTokens[p.nextToken] = true
	l.nextToken = p.nextToken
	return true, nil
}

// follow makes key the last one. A server that does not encode keys replaces some characters in its answer, but sorts by the
// real keys: these say nothing of the order.
func follow(last *string, key string) error {
	if !isPrintable(key) {
		return nil
	}
	if key <= *last {
		return fmt.Errorf("%w: key %s follows key %s: a part was sent twice, or not in order", ErrBrokenListing, foreign.Quote(key, 300), foreign.Quote(*last, 300))
	}
	*last = key
	return nil
}

func isPrintable(key string) bool {
	return !strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' })
}

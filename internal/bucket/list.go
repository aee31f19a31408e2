package bucket

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

const (
	pageSize = 1000 // the most that S3 gives

	// maxListed bounds a listing that does not end. Ten million objects take an hour to list.
	maxListed = 10_000_000
	// maxEmptyPages is how many pages without a key are accepted in a row. S3 may send some.
	maxEmptyPages = 100
)

// ErrBrokenListing reports a listing that is incomplete or inconsistent. What the bucket holds is then not known, and
// acting on such a listing could move branches back.
var ErrBrokenListing = errors.New("broken listing")

// List yields every object whose key begins with prefix, page by page. It stops after the first error. What it
// yielded before is then not the whole bucket, and must not be acted upon.
//
// The SDK's paginator is not used: it ends without an error when a page says that there are more but names no next
// page, and never ends when a page names itself as the next.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[ObjectInfo, error] {
	return func(yield func(ObjectInfo, error) bool) {
		l := listing{seenTokens: map[string]bool{}}
		for more := true; more; {
			page, err := b.readPage(ctx, prefix, l.nextToken)
			if err == nil {
				more, err = l.addPage(page)
			}
			if err != nil {
				yield(ObjectInfo{}, fmt.Errorf("list bucket %q: %w", b.name, reduceError(err)))
				return
			}
			for _, object := range page.objects {
				if !yield(object, nil) {
					return
				}
			}
		}
	}
}

// listingPage is one answer of a listing.
type listingPage struct {
	objects   []ObjectInfo
	truncated bool
	nextToken string // the token of the next page
}

func (b *Bucket) readPage(ctx context.Context, prefix, token string) (listingPage, error) {
	var answer pageDecoder
	_, err := b.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket:            &b.name,
		Prefix:            optional(prefix),
		ContinuationToken: optional(token),
		MaxKeys:           aws.Int32(pageSize),
		// S3 keys may hold characters that XML cannot: unencoded, one such
		// key would make the whole listing unreadable.
		EncodingType: types.EncodingTypeUrl,
	}, answer.install)
	return answer.page, err
}

// optional leaves an empty parameter out of a request.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// listing checks that the pages form one consistent listing.
type listing struct {
	nextToken  string
	seenTokens map[string]bool // of all pages so far
	lastKey    string          // the last printable key
	keyCount   int
	emptyPages int // pages in a row
}

// addPage checks the next page, and tells whether there is another.
func (l *listing) addPage(p listingPage) (more bool, err error) {
	l.keyCount += len(p.objects)
	for _, o := range p.objects {
		// A server that does not encode keys replaces some characters in its answer, but sorts by the real keys.
		if !isPrintable(o.Key) {
			continue
		}
		if o.Key <= l.lastKey {
			return false, fmt.Errorf("%w: key %s follows key %s: a part was sent twice, or not in order", ErrBrokenListing, foreign.Quote(o.Key, 300), foreign.Quote(l.lastKey, 300))
		}
		l.lastKey = o.Key
	}
	l.emptyPages++
	if len(p.objects) > 0 {
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

func isPrintable(key string) bool {
	return !strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' })
}

package bucket

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

const (
	pageSize = 1000 // the most that S3 gives

	// maxListed bounds a listing that does not end. Ten million objects take an hour to list.
	maxListed = 10_000_000
	// maxEmptyPages is how many pages without a key are taken in a row. S3 may send some.
	maxEmptyPages = 100
)

// ErrBrokenListing reports that the bucket was not listed to its end, or not in one piece. What it holds is
// not known then: to believe such a listing could move branches back.
var ErrBrokenListing = errors.New("broken listing")

// List yields every object whose key begins with prefix, page by page. It stops after the first error: what
// was yielded before is then not the whole bucket, and must not be acted upon.
//
// The SDK's paginator ends without an error where a page says that there are more and not where,
// and asks for ever where a page names itself as the next.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		l := listing{tokens: map[string]bool{}}
		for more := true; more; {
			page, err := b.page(ctx, prefix, l.next)
			if err == nil {
				more, err = l.follow(page)
			}
			if err != nil {
				yield(Object{}, fmt.Errorf("list bucket %q: %w", b.name, cause(err)))
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

// page is one answer of a listing.
type page struct {
	objects   []Object
	truncated bool
	next      string // the token of the next page
}

func (b *Bucket) page(ctx context.Context, prefix, token string) (page, error) {
	var answer pageDecoder
	_, err := b.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket:            &b.name,
		Prefix:            optional(prefix),
		ContinuationToken: optional(token),
		MaxKeys:           aws.Int32(pageSize),
		// S3 keys may hold characters that XML cannot: unencoded, one such
		// key would make the whole listing unreadable.
		EncodingType: types.EncodingTypeUrl,
	}, answer.instead)
	return answer.page, err
}

// optional leaves a parameter out of a request when it says nothing.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// listing holds pages to what makes them one listing.
type listing struct {
	next   string
	tokens map[string]bool // of all pages so far
	last   string          // the last key whose place in the order is known
	count  int
	empty  int // pages in a row
}

// follow takes the next page, and tells whether there is one more.
func (l *listing) follow(p page) (more bool, err error) {
	l.count += len(p.objects)
	for _, o := range p.objects {
		// A server that does not encode keys sends others than it has for some characters, and
		// sorts by what it has.
		if !printable(o.Key) {
			continue
		}
		if o.Key <= l.last {
			return false, fmt.Errorf("%w: key %s follows key %s: a part was sent twice, or not in order", ErrBrokenListing, foreign.Quote(o.Key, 300), foreign.Quote(l.last, 300))
		}
		l.last = o.Key
	}
	l.empty++
	if len(p.objects) > 0 {
		l.empty = 0
	}
	switch {
	case !p.truncated:
		return false, nil
	case p.next == "":
		return false, fmt.Errorf("%w: the server says after %d keys that there are more, and not how to get them", ErrBrokenListing, l.count)
	case l.tokens[p.next]:
		return false, fmt.Errorf("%w: the server names the same page again as the next, after %d keys", ErrBrokenListing, l.count)
	case l.count > maxListed, l.empty > maxEmptyPages:
		return false, fmt.Errorf("%w: it does not end: %d keys, then %d pages without one", ErrBrokenListing, l.count, l.empty)
	}
	l.tokens[p.next] = true
	l.next = p.next
	return true, nil
}

func printable(key string) bool {
	for i := range len(key) {
		if key[i] < ' ' || key[i] > '~' {
			return false
		}
	}
	return true
}

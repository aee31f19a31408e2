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
	return b.list(ctx, prefix, nil)
}

// ListAround is List of the whole bucket, but of the objects in a folder, whose name ends in a slash, it yields only the
// first: that tells that there are some. The others cost one request, however many they are.
func (b *Bucket) ListAround(ctx context.Context, folder string) iter.Seq2[ObjectInfo, error] {
	return b.list(ctx, "", &detour{folder: folder})
}

// ListFolder yields the names of what is directly in a folder, whose own name ends in a slash: of objects, and of folders,
// which end in a slash and are nothing but a part of keys. All of them begin with the folder's name. They are in order
// within one page only. It fails as List does.
func (b *Bucket) ListFolder(ctx context.Context, folder string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for page, err := range b.pages(ctx, pageQuery{prefix: folder, delimiter: "/"}, nil) {
			if err != nil {
				yield("", err)
				return
			}
			for _, name := range page.names() {
				if !isDirectlyIn(folder, name) {
					yield("", fmt.Errorf("list bucket %q: %w: %s is not directly in folder %q", b.name, ErrBrokenListing, foreign.Quote(name, 300), folder))
					return
				}
				if !yield(name, nil) {
					return
				}
			}
		}
	}
}

func isDirectlyIn(folder, name string) bool {
	rest, ok := strings.CutPrefix(name, folder)
	return ok && !strings.Contains(strings.TrimSuffix(rest, "/"), "/")
}

func (b *Bucket) list(ctx context.Context, prefix string, around *detour) iter.Seq2[ObjectInfo, error] {
	return func(yield func(ObjectInfo, error) bool) {
		for page, err := range b.pages(ctx, pageQuery{prefix: prefix}, around) {
			if err != nil {
				yield(ObjectInfo{}, err)
				return
			}
			for _, object := range page.objects {
				if around.keeps(object.Key) && !yield(object, nil) {
					return
				}
			}
		}
	}
}

// pages yields the pages of a listing, until the last or the first error.
func (b *Bucket) pages(ctx context.Context, query pageQuery, around *detour) iter.Seq2[listingPage, error] {
	return func(yield func(listingPage, error) bool) {
		l := listing{seenTokens: map[string]bool{}}
		for more := true; more; {
			page, err := b.readPage(ctx, query)
			if err == nil {
				more, err = l.addPage(page)
			}
			if err != nil {
				yield(listingPage{}, fmt.Errorf("list bucket %q: %w", b.name, reduceError(err)))
				return
			}
			if !yield(page, nil) {
				return
			}
			query.token, query.startAfter = l.nextToken, ""
			if around.isDue(page.objects) {
				query.token, query.startAfter = "", around.end()
				l.lastKey = query.startAfter
			}
		}
	}
}

// pageQuery says which page of which listing to get. Keys that have the delimiter after the prefix come as one folder for all
// that are alike up to there.
type pageQuery struct{ prefix, delimiter, token, startAfter string }

// listingPage is one answer of a listing.
type listingPage struct {
	objects   []ObjectInfo
	folders   []string // only where a delimiter was asked for
	truncated bool
	nextToken string // the token of the next page
}

// names are those of all that the page has.
func (p listingPage) names() (names []string) {
	for _, o := range p.objects {
		names = append(names, o.Key)
	}
	return append(names, p.folders...)
}

func (b *Bucket) readPage(ctx context.Context, query pageQuery) (listingPage, error) {
	var answer pageDecoder
	_, err := b.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket:            &b.name,
		Prefix:            optional(query.prefix),
		Delimiter:         optional(query.delimiter),
		ContinuationToken: optional(query.token),
		StartAfter:        optional(query.startAfter),
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

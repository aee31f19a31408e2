package bucket

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/s3server"
)

// answering opens a bucket on a server that answers as handler does.
func answering(t testing.TB, handler http.HandlerFunc, load ...func(*config.LoadOptions) error) *Bucket {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	load = append([]func(*config.LoadOptions) error{config.WithBaseEndpoint(srv.URL), config.WithRegion(s3server.Region),
		config.WithCredentialsProvider(anyCredentials), config.WithRetryMaxAttempts(1)}, load...)
	b, err := Open(t.Context(), Options{Name: "b", PathStyle: true}, load...)
	require.NoError(t, err)
	return b
}

// listAll lists what a server gives that answers each token with a page, or with anything else.
func listAll(t testing.TB, answer func(token string) string) (keys []string, err error) {
	t.Helper()
	b := answering(t, func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		// XML cannot hold each key as it is, and an empty token is none that S3 has given.
		if query.Get("encoding-type") != "url" || query.Get("max-keys") != "1000" || query.Has("continuation-token") && query.Get("continuation-token") == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = w.Write([]byte(answer(query.Get("continuation-token"))))
	})
	for object, err := range b.List(t.Context(), "") {
		if err != nil {
			return keys, err
		}
		keys = append(keys, object.Key)
	}
	return keys, nil
}

// listPage is a page in the form of S3's. next is the token of the next one; empty for the last.
func listPage(next string, keys ...string) string {
	var contents strings.Builder
	for _, key := range keys {
		contents.WriteString("<Contents><Key>" + key + "</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>" +
			`<ETag>&quot;0&quot;</ETag><Size>3</Size><Owner><ID>o</ID></Owner></Contents>`)
	}
	if next != "" {
		next = "<NextContinuationToken>" + next + "</NextContinuationToken>"
	}
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>`+"\n"+
		`<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix/><KeyCount>%d</KeyCount>`+
		`<MaxKeys>1000</MaxKeys><IsTruncated>%t</IsTruncated>%s%s</ListBucketResult>`, len(keys), next != "", next, contents.String())
}

// A listing is whole or an error: what it lacks could be the newest object of a branch, which would then be moved back.
func TestListingsThatAreNotBelieved(t *testing.T) {
	t.Parallel()
	always := func(answer string) func(string) string { return func(string) string { return answer } }
	pages := func(byToken map[string]string) func(string) string {
		return func(token string) string { return byToken[token] }
	}
	numbers := 0
	for name, tt := range map[string]struct {
		answer func(token string) string
		is     error
		want   string
	}{
		"truncated, no token": {always(strings.Replace(listPage("", "a"), "false", "true", 1)), ErrBrokenListing, "after 1 keys that there are more, and not how to get them"},
		"the same token":      {pages(map[string]string{"": listPage("1", "a"), "1": listPage("1", "b")}), ErrBrokenListing, "the same page again as the next, after 2 keys"},
		"tokens in a circle":  {pages(map[string]string{"": listPage("1", "a"), "1": listPage("2", "b"), "2": listPage("1", "c")}), ErrBrokenListing, "the same page again"},
		"a page twice":        {pages(map[string]string{"": listPage("1", "a", "b"), "1": listPage("", "a", "b")}), ErrBrokenListing, `key "a" follows key "b"`},
		"pages overlap":       {pages(map[string]string{"": listPage("1", "a", "b"), "1": listPage("", "b", "c")}), ErrBrokenListing, `key "b" follows key "b"`},
		"backwards":           {always(listPage("", "b", "a")), ErrBrokenListing, `key "a" follows key "b"`},
		"backwards, with the first and the last printable":    {always(listPage("", "~b ", "~a ")), ErrBrokenListing, `key "~a " follows key "~b "`},
		"backwards, after one that says nothing of the order": {always(listPage("", "ü", "b", "a")), ErrBrokenListing, `key "a" follows key "b"`},
		"never a key": {func(string) string {
			numbers++
			return listPage(fmt.Sprint(numbers))
		}, ErrBrokenListing, "it does not end: 0 keys, then 101 pages without one"},
		"a page that never ends": {always(listPage("", strings.Repeat("a", maxPageBytes))), ErrBrokenListing, "a page of more than 16777216 bytes"},
		"more keys than asked for": {always(listPage("", strings.Split(strings.Repeat("a,", pageSize), ",")...)), ErrBrokenListing,
			"more than 1000 keys were not asked for"},
		"keys lost":       {always(strings.Replace(listPage("", "a"), "<KeyCount>1", "<KeyCount>2", 1)), ErrBrokenListing, "a page has 1 keys and says that it has 2"},
		"cut off":         {always(listPage("", "a")[:200]), ErrBrokenListing, "unexpected EOF"},
		"malformed key":   {always(strings.Replace(listPage("", "a%zz"), "<Prefix/>", "<EncodingType>url</EncodingType>", 1)), ErrBrokenListing, `malformed key "a%zz"`},
		"no key":          {always(listPage("", "")), ErrBrokenListing, "without a key"},
		"negative size":   {always(strings.Replace(listPage("", "a"), "<Size>3", "<Size>-3", 1)), ErrBrokenListing, "without a key or size"},
		"no number":       {always(strings.Replace(listPage("", "a"), "<Size>3", "<Size>x", 1)), ErrBrokenListing, "element <Contents>"},
		"empty":           {always(""), ErrNotStore, "it is empty"},
		"a sign-in page":  {always("<!DOCTYPE html><html><body>Please sign in</body></html>"), ErrNotStore, `begins with <html>`},
		"plain text":      {always("It works!"), ErrNotStore, "not an object store's"},
		"other XML":       {always(`<feed xmlns="http://www.w3.org/2005/Atom"/>`), ErrNotStore, `begins with <feed>`},
		"a bare document": {always("<ListBucketResult></ListBucketResult>"), ErrNotStore, "without IsTruncated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := listAll(t, tt.answer)
			require.ErrorIs(t, err, tt.is)
			require.ErrorContains(t, err, fmt.Sprintf("list bucket %q: %v", "b", tt.is))
			require.ErrorContains(t, err, tt.want)
			require.Less(t, len(err.Error()), 1000)
		})
	}
}

// What servers other than S3 do is no error: pages without a key, no count, and keys that sort by what XML cannot hold.
func TestListingsThatAreBelieved(t *testing.T) {
	t.Parallel()
	got, err := listAll(t, func(token string) string {
		switch token {
		case "":
			return listPage("1", "\ufffdz", "a", "ü")
		case "1":
			return listPage("2")
		}
		return strings.Replace(listPage("", "b", "\ufffdz"), "<KeyCount>2</KeyCount>", "", 1)
	})
	require.NoError(t, err)
	require.Equal(t, []string{"\ufffdz", "a", "ü", "b", "\ufffdz"}, got)

	got, err = listAll(t, func(string) string { return listPage("") })
	require.NoError(t, err)
	require.Empty(t, got)
}

// The gateway does not encode keys, S3 does; this is the form of S3's answer.
func TestListEncodedKeys(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		"0a/YT4%2B%3D%3D.tar.age": "0a/YT4+==.tar.age",
		"a%01+b":                  "a\x01 b",
	} {
		got, err := listAll(t, func(string) string {
			return strings.Replace(listPage("", sent), "<Prefix/>", "<EncodingType>url</EncodingType>", 1)
		})
		require.NoError(t, err)
		require.Equal(t, []string{want}, got)
	}
}

// Ten million keys are not all asked for.
func TestListingIsBounded(t *testing.T) {
	t.Parallel()
	l := listing{seenTokens: map[string]bool{}, keyCount: maxListed}
	more, err := l.addPage(listingPage{truncated: true, nextToken: "1"})
	require.NoError(t, err)
	require.True(t, more)
	_, err = l.addPage(listingPage{objects: []ObjectInfo{{Key: "a"}}, truncated: true, nextToken: "2"})
	require.ErrorIs(t, err, ErrBrokenListing)
	require.ErrorContains(t, err, "it does not end")
}

// A listing may have any number of pages without a key, if there are some with keys between them.
func TestEmptyPagesBetweenOthers(t *testing.T) {
	t.Parallel()
	l := listing{seenTokens: map[string]bool{}}
	for i := range 3 * maxEmptyPages {
		p := listingPage{truncated: true, nextToken: strconv.Itoa(i)}
		if i%maxEmptyPages == 0 {
			p.objects = []ObjectInfo{{Key: fmt.Sprintf("%05d", i)}}
		}
		more, err := l.addPage(p)
		require.NoError(t, err)
		require.True(t, more)
	}
}

package bucket

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/app-sre/git-partition-sync/internal/testserver/s3server/s3test"
)

// store lists keys as S3 does, but in the order that it is given them in.
type store struct {
	keys             []string
	ignoreStartAfter bool
	requests         int
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests++
	query := r.URL.Query()
	from, skip := 0, query.Get("start-after")
	if token := query.Get("continuation-token"); token != "" {
		from, skip = slices.Index(s.keys, token)+1, ""
	}
	var page []string
	next := ""
	for _, key := range s.keys[from:] {
		switch {
		case !strings.HasPrefix(key, query.Get("prefix")) || key <= skip && !s.ignoreStartAfter:
			continue
		case len(page) == pageSize:
			next = page[len(page)-1]
		}
		if next != "" {
			break
		}
		page = append(page, key)
	}
	_, _ = w.Write([]byte(listPage(next, page...)))
}

// numbered are keys in the order of their numbers.
func numbered(n int, format string) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf(format, i))
	}
	return keys
}

// around lists a store's bucket around a folder, and returns how many requests that took.
func around(t *testing.T, s *store, folder string) (keys []string, requests int, err error) {
	t.Helper()
	for o, err := range answering(t, s.ServeHTTP).ListAround(t.Context(), folder) {
		if err != nil {
			return keys, s.requests, err
		}
		keys = append(keys, o.Key)
	}
	return keys, s.requests, nil
}

// What is in the folder costs one request at most, and everything else is there.
func TestListAround(t *testing.T) {
	t.Parallel()
	plain, large := numbered(1500, "e%05d"), numbered(5000, "lfs/%05d/1")
	for name, tt := range map[string]struct {
		keys     []string
		want     []string
		requests int
	}{
		"no folder":            {slices.Concat(plain, []string{"z"}), slices.Concat(plain, []string{"z"}), 2},
		"within a page":        {slices.Concat(plain, large[:2], []string{"z"}), slices.Concat(plain, large[:1], []string{"z"}), 2},
		"to the end":           {slices.Concat(plain, large[:500]), slices.Concat(plain, large[:1]), 2},
		"large":                {slices.Concat(plain, large), slices.Concat(plain, large[:1]), 3},
		"something behind":     {slices.Concat(plain, large, []string{"lfs01", "z/z"}), slices.Concat(plain, large[:1], []string{"lfs01", "z/z"}), 3},
		"much behind":          {slices.Concat(plain, large, numbered(2500, "z%05d")), slices.Concat(plain, large[:1], numbered(2500, "z%05d")), 5},
		"begins with the page": {slices.Concat(plain[:1000], large), slices.Concat(plain[:1000], large[:1]), 3},
		"alike":                {slices.Concat(plain, []string{"lfs", "lfs-a", "lfs."}, large), slices.Concat(plain, []string{"lfs", "lfs-a", "lfs.", large[0]}), 3},
		"nothing else":         {large, large[:1], 5}, // nothing shows that the store does not list folders first
		"empty":                {nil, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys, requests, err := around(t, &store{keys: tt.keys}, "lfs/")
			require.NoError(t, err)
			require.Equal(t, tt.want, keys)
			require.Equal(t, tt.requests, requests)
		})
	}
}

// A store that does not list in order is refused as by List: what it lists behind the folder would be missing, and with that
// branches could be moved back.
func TestListAroundInWrongOrder(t *testing.T) {
	t.Parallel()
	plain, large := numbered(1500, "e%05d"), numbered(5000, "lfs/%05d/1")
	for name, s := range map[string]store{
		"folders first":              {keys: slices.Concat(large, plain)},
		"folders first, on one page": {keys: slices.Concat(large[:10], plain)},
		"more folders first":         {keys: slices.Concat(numbered(700, "0%05d/e"), large, plain)},
		"others first":               {keys: slices.Concat([]string{"lfsz"}, large, plain)},
		"mixed":                      {keys: slices.Concat(plain[:10], large[:10], plain[10:], large[10:])},
		"from the beginning again":   {keys: slices.Concat(plain, large), ignoreStartAfter: true},
		"hardly anything before":     {keys: slices.Concat([]string{"a"}, large), ignoreStartAfter: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := around(t, &s, "lfs/")
			require.ErrorIs(t, err, ErrBrokenListing)
			require.ErrorContains(t, err, "not in order")
		})
	}
}

// The detour and folders on a real server, with more in the folder than a page has.
func TestListAroundOnAServer(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	var requests atomic.Int64 // as the last answer is numbered
	b := through(t, srv, srv.Producer, func(number int64, _ *http.Response) { requests.Store(number) })
	plain := []string{"0a/eA==.tar.age", "catalog.tar.age", "eyJ.tar.age"}
	keys := append(slices.Clone(plain), "lfs/a+b=/x/1.age", "lfs/loose", "z")
	for i := range 1100 {
		keys = append(keys, fmt.Sprintf("lfs/eyJn/%064x/1.age", i))
	}
	var group errgroup.Group
	group.SetLimit(8)
	for _, key := range keys {
		group.Go(func() error { return b.Upload(t.Context(), key, strings.NewReader("x"), 1) })
	}
	require.NoError(t, group.Wait())

	before := requests.Load()
	var got []string
	for o, err := range b.ListAround(t.Context(), "lfs/") {
		require.NoError(t, err)
		got = append(got, o.Key)
	}
	require.Equal(t, append(plain, "lfs/a+b=/x/1.age", "z"), got)
	require.EqualValues(t, 2, requests.Load()-before)

	before, got = requests.Load(), nil
	for name, err := range b.ListFolder(t.Context(), "lfs/") {
		require.NoError(t, err)
		got = append(got, name)
	}
	require.ElementsMatch(t, []string{"lfs/loose", "lfs/a+b=/", "lfs/eyJn/"}, got)
	require.EqualValues(t, 1, requests.Load()-before)
}

// folderPage is a page of folders and keys in the form of S3's, whose keys are encoded.
func folderPage(next string, folders []string, keys ...string) string {
	var prefixes strings.Builder
	for _, folder := range folders {
		prefixes.WriteString("<CommonPrefixes><Prefix>" + folder + "</Prefix></CommonPrefixes>")
	}
	page := strings.Replace(listPage(next, keys...), "</ListBucketResult>", prefixes.String()+"</ListBucketResult>", 1)
	page = strings.Replace(page, "<Prefix/>", "<EncodingType>url</EncodingType><Delimiter>%2F</Delimiter>", 1)
	return strings.Replace(page, fmt.Sprintf("<KeyCount>%d<", len(keys)), fmt.Sprintf("<KeyCount>%d<", len(keys)+len(folders)), 1)
}

// listFolder lists a folder of a server that answers each token with a page.
func listFolder(t *testing.T, pages map[string]string) (names []string, err error) {
	t.Helper()
	b := answering(t, func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if query.Get("prefix") != "lfs/" || query.Get("delimiter") != "/" || query.Has("start-after") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = w.Write([]byte(pages[query.Get("continuation-token")]))
	})
	for name, err := range b.ListFolder(t.Context(), "lfs/") {
		if err != nil {
			return names, err
		}
		names = append(names, name)
	}
	return names, nil
}

func TestListFolder(t *testing.T) {
	t.Parallel()
	names, err := listFolder(t, map[string]string{
		"":  folderPage("1", []string{"lfs/a%2Bb%3D%3D/", "lfs/e/"}, "lfs/c"),
		"1": folderPage("2", []string{"lfs/f/"}),
		"2": folderPage("3", nil, "lfs/g"),
		"3": strings.Replace(folderPage("", nil), "</ListBucketResult>", "<CommonPrefixes/></ListBucketResult>", 1),
	})
	require.NoError(t, err)
	require.Equal(t, []string{"lfs/c", "lfs/a+b==/", "lfs/e/", "lfs/f/", "lfs/g"}, names)
}

func TestFoldersThatAreNotBelieved(t *testing.T) {
	t.Parallel()
	many := numbered(pageSize, "lfs/%04d/")
	for name, tt := range map[string]struct {
		pages map[string]string
		want  string
	}{
		"elsewhere":        {map[string]string{"": folderPage("", []string{"eyJn/"})}, `"eyJn/" is not directly in folder "lfs/"`},
		"deeper":           {map[string]string{"": folderPage("", []string{"lfs/a/b/"})}, `"lfs/a/b/" is not directly in`},
		"no folders":       {map[string]string{"": folderPage("", nil, "lfs/a/1")}, `"lfs/a/1" is not directly in`},
		"backwards":        {map[string]string{"": folderPage("", []string{"lfs/b/", "lfs/a/"})}, "not in order"},
		"pages overlap":    {map[string]string{"": folderPage("1", []string{"lfs/a/", "lfs/b/"}), "1": folderPage("", []string{"lfs/b/"})}, "not in order"},
		"malformed":        {map[string]string{"": folderPage("", []string{"lfs/%zz/"})}, "malformed key"},
		"more than asked":  {map[string]string{"": folderPage("", many, "lfs/a")}, "more than 1000 keys were not asked for"},
		"folders lost":     {map[string]string{"": strings.Replace(folderPage("", []string{"lfs/a/"}), "<KeyCount>1", "<KeyCount>2", 1)}, "has 1 keys and says that it has 2"},
		"damaged":          {map[string]string{"": folderPage("", []string{"<a"})}, "element <CommonPrefixes>"},
		"of no such store": {map[string]string{"": "<html/>"}, "begins with <html>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := listFolder(t, tt.pages)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

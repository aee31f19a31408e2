package bucket

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A page is whole, or it is an error of a kind; and what it holds is no more than was asked for.
func FuzzPage(f *testing.F) {
	f.Add("")
	f.Add("<html><body>Sign in</body></html>")
	f.Add("<ListBucketResult></ListBucketResult>")
	f.Add(`<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>1</KeyCount><EncodingType>url</EncodingType>` +
		`<Contents><Key>a%2Fb</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>"e"</ETag><Size>7</Size></Contents></ListBucketResult>`)
	f.Add(`<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken><Contents><Key>a</Key>`)
	f.Fuzz(func(t *testing.T, body string) {
		page, err := decodePage(strings.NewReader(body))
		if err != nil {
			require.True(t, errors.Is(err, ErrBrokenListing) || errors.Is(err, ErrNotStore), "%v", err)
			return
		}
		require.Contains(t, body, "ListBucketResult")
		require.LessOrEqual(t, len(page.objects), pageSize)
		for _, o := range page.objects {
			require.NotEmpty(t, o.Key)
			require.GreaterOrEqual(t, o.Size, int64(0))
		}
	})
}

func TestPageInManyPieces(t *testing.T) { // not parallel: it counts what is allocated
	const pieces = 20_000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	page, err := decodePage(strings.NewReader("<ListBucketResult><IsTruncated>false</IsTruncated><NextContinuationToken>" +
		strings.Repeat("a<!---->", pieces) + "</NextContinuationToken></ListBucketResult>"))
	require.NoError(t, err)
	require.Len(t, page.nextToken, pieces)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32<<20), "what is copied does not grow with the square of its size")
}

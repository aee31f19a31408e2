package graphql_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/graphql"
)

// A small compressed answer can be an endless one.
func TestAnswerIsBounded(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		_, _ = io.CopyN(zip, spaces{}, 1<<30)
		_ = zip.Close()
	})
	_, err := newClient(t, graphql.Options{URL: endpoint(t, url)}).Syncs(context.Background())
	require.ErrorIs(t, err, graphql.ErrTooLarge)
	require.ErrorContains(t, err, "it exceeds 16777216 bytes")
}

// What one producer handles, with names of the length that GitLab and Git allow, fits in.
func TestLargestConfigurationFits(t *testing.T) {
	project := fmt.Sprintf(`{"group":"%s","name":"%s","branch":"%s"}`, strings.Repeat("g", 127), strings.Repeat("n", 127), strings.Repeat("b", 250))
	syncs := strings.Repeat(`{"gitlabSync":{"sourceProject":`+project+`,"destinationProject":`+project+`}},`, 10_000)
	components := strings.Repeat(`{"gitlabSync":null},`, 100_000)
	text := `{"data":{"apps_v1":[{"codeComponents":[` + syncs + strings.TrimSuffix(components, ",") + `]}]}}`
	got, err := newClient(t, graphql.Options{URL: endpoint(t, answer(t, http.StatusOK, text))}).Syncs(context.Background())
	require.NoError(t, err)
	require.Len(t, got, 10_000)
}

// One name of megabytes is one sync's trouble: it is still too long, and fits into a history.
func TestLongNamesAreCut(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	text := `{"data":{"apps_v1":[{"codeComponents":[{"gitlabSync":{"sourceProject":{"group":"g","name":"n","branch":"b"},"destinationProject":{"group":"g","name":"n","branch":"` + long + `"}}}]}]}}`
	syncs, err := newClient(t, graphql.Options{URL: endpoint(t, answer(t, http.StatusOK, text))}).Syncs(context.Background())
	require.NoError(t, err)
	require.Len(t, syncs, 1)
	require.Equal(t, strings.Repeat("é", 256), syncs[0].Destination.Branch)
	require.ErrorContains(t, syncs[0].Validate(), "512 bytes, limit 250")
}

// Small values take more memory than text. Whatever an answer is made of, it takes little more than
// twice its limit: six times leaves the collector room to lag behind, as with the race detector.
func TestAnswersTakeBoundedMemory(t *testing.T) {
	const limit = 16 << 20
	fill := func(value string) string { return strings.Repeat(value+",", (limit-1000)/(len(value)+1)) }
	for name, test := range map[string]struct {
		answer string
		refuse bool
	}{
		"empty components": {`{"data":{"apps_v1":[{"codeComponents":[` + fill("{}") + `{}]}]}}`, true},
		"empty apps":       {`{"data":{"apps_v1":[` + fill("{}") + `{}]}}`, true},
		"nulls":            {`{"data":{"apps_v1":[` + fill("null") + `null]}}`, true},
		"errors":           {`{"errors":[` + fill("{}") + `{}]}`, true},
		"extensions":       {`{"errors":[{"extensions":{"x":[` + fill("{}") + `{}]}}]}`, true},
		"unknown":          {`{"x":[` + fill("[]") + `1]}`, true},
		"deep":             {strings.Repeat(`{"data":`, limit/10), true},
		"one long name":    {`{"data":{"apps_v1":[{"codeComponents":[{"gitlabSync":{"sourceProject":{"name":"` + strings.Repeat("n", limit-1000) + `"}}}]}]}}`, false},
		"most components":  {`{"data":{"apps_v1":[{"codeComponents":[` + strings.Repeat("{},", 249_000) + `{}]}]}}`, false},
		"most errors":      {`{"errors":[` + strings.Repeat("{},", 249_000) + `{}]}`, false},
		"in a string":      {`{"data":{"apps_v1":[]},"x":"` + strings.Repeat(`,\"{[`, 1_000_000) + `"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, graphql.Options{URL: endpoint(t, "http://graphql.invalid/"), HTTP: &http.Client{Transport: canned{http.StatusOK, test.answer}}})
			var err error
			used := allocated(func() { _, err = client.Syncs(context.Background()) })
			if test.refuse {
				require.ErrorIs(t, err, graphql.ErrTooLarge)
			} else {
				require.NotErrorIs(t, err, graphql.ErrTooLarge)
			}
			require.Less(t, used, uint64(6*limit))
		})
	}
}

// allocated returns how many bytes of memory the function leaves behind in use at most, as nothing is
// collected meanwhile but what a collection at half of that would.
func allocated(do func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	peak := uint64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				runtime.ReadMemStats(&after)
				peak = max(peak, after.HeapAlloc)
			}
		}
	}()
	do()
	close(stop)
	<-done
	return max(peak, before.HeapAlloc) - before.HeapAlloc
}

// spaces is an endless run of them: JSON's white space.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

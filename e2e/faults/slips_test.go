package faults_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/faultproxy"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// listReads is how many times the producer reads a wrong list of syncs.
const listReads = 4

// slipCells have the producer told for a while that other syncs are wanted than are.
func slipCells() (cells []cell) {
	add := func(fault string, tell func(*trial) *faultproxy.Active) {
		cells = append(cells, cell{
			table: hosts, step: "producer", fault: fault, setup: named,
			strike: func(r *trial) {
				before := r.destinations()
				asked := tell(r)
				r.change(r)
				r.awaitHits(asked, listReads)
				assert.Subset(r, r.destinations(), before, "the objects of what is not in the list any more are needed when it is back")
			},
		})
	}
	add("empty list of syncs", listed(func(string) string { return "syncs: []\n" }))
	add("a sync left out", listed(func(list string) string { return withoutSync(list, quiet) }))
	add("a sync's source renamed", listed(func(list string) string {
		return strings.Replace(list, `source: {group: "quiet"`, `source: {group: "renamed"`, 1)
	}))
	add("a sync's destination renamed", listed(func(list string) string {
		return strings.Replace(list, `destination: {group: "mirror/quiet"`, `destination: {group: "mirror/renamed"`, 1)
	}))
	failed := http.Header{"Content-Type": {"application/json"}}
	add("GraphQL 503", answeredBy(faultproxy.Fault{Answer: faultproxy.Status(http.StatusServiceUnavailable, nil, "")}))
	add("GraphQL errors alone", answeredBy(faultproxy.Fault{Answer: faultproxy.Status(http.StatusOK, failed, `{"errors": [{"message": "not now"}]}`)}))
	add("GraphQL errors beside data that lacks syncs", answeredBy(faultproxy.Fault{Alter: losesSyncs}))
	return cells
}

// listed replaces the list of syncs.
func listed(edit func(string) string) func(*trial) *faultproxy.Active {
	return func(r *trial) *faultproxy.Active {
		list, err := os.ReadFile(r.SyncsFile())
		require.NoError(r, err)
		edited := edit(string(list))
		assert.NotEqual(r, string(list), edited)
		r.writeList(edited)
		r.later(func() { r.writeList(string(list)) })
		return r.on(toGraphQL, faultproxy.Fault{}) // it only counts
	}
}

func answeredBy(f faultproxy.Fault) func(*trial) *faultproxy.Active {
	return func(r *trial) *faultproxy.Active { return r.on(toGraphQL, f) }
}

// writeList replaces the file as a whole: the server reads it for every query.
func (r *trial) writeList(list string) {
	next := r.SyncsFile() + ".next"
	assert.NoError(r, os.WriteFile(next, []byte(list), 0o600))
	assert.NoError(r, os.Rename(next, r.SyncsFile()))
}

// withoutSync takes out the two lines of a sync.
func withoutSync(list, source string) string {
	group, _, _ := strings.Cut(source, "/")
	before, rest, _ := strings.Cut(list, `  - source: {group: "`+group+`"`)
	_, after, _ := strings.Cut(rest, "  - source:")
	if after != "" {
		after = "  - source:" + after
	}
	return before + after
}

// losesSyncs leaves the first app of an answer only, which has no syncs, and says that something went wrong.
func losesSyncs(response *http.Response) error {
	var answer struct {
		Data struct {
			Apps []json.RawMessage `json:"apps_v1"`
		} `json:"data"`
		Errors []map[string]string `json:"errors"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	answer.Data.Apps = answer.Data.Apps[:1]
	answer.Errors = []map[string]string{{"message": "not all could be read"}}
	body, err := json.Marshal(answer)
	response.Body = io.NopCloser(bytes.NewReader(body))
	response.ContentLength = int64(len(body))
	response.Header.Del("Content-Length")
	return err
}

// destinations are those of which the bucket has objects.
func (r *trial) destinations() (names []string) {
	b, err := r.Bucket(r.Context(), stack.Producer)
	require.NoError(r, err)
	chains, err := stack.Chains(r.Context(), b)
	require.NoError(r, err)
	for destination := range chains {
		names = append(names, destination.String())
	}
	return names
}

// awaitHits waits until a fault has happened to so many requests.
func (r *trial) awaitHits(f *faultproxy.Active, hits int) {
	r.Helper()
	for deadline := time.Now().Add(strikePatience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if f.Hits() >= hits {
			return
		}
	}
	assert.Fail(r, "the fault has not found its moment", "it has happened to %d requests, not %d", f.Hits(), hits)
}

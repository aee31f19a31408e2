package activities

import (
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/catalog"
)

// counts returns how often each server was asked for what since it was called last, but for the catalog.
func (l *requestLog) counts() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := map[string]int{}
	for _, request := range l.all {
		method, uri, _ := strings.Cut(request, " ")
		u, err := url.ParseRequestURI(uri)
		switch {
		case err != nil || strings.HasSuffix(u.Path, catalog.Key):
			continue
		case strings.HasPrefix(u.Path, "/"+sourceRepo+".git/"):
			counts["source"]++
		case strings.HasPrefix(u.Path, "/"+destinationRepo+".git/"):
			counts["destination"]++
		case u.Query().Has("list-type"):
			counts["bucket LIST"]++
		case strings.Count(u.Path, "/") == 1:
			counts["bucket "+method+" bucket"]++
		default:
			counts["bucket "+method]++
		}
	}
	l.all = nil
	return counts
}

// What a small sync asks of each server (docs/scaling.md), once the repositories are known: its plans' share included.
func TestRequestsOfASmallSync(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	requests := &requestLog{}
	z := r.twin(requests.add)
	z.producer.LFS = &askedLFS{} // that is not asked: it would panic
	z.arrives(z.commit(random(20_000)))
	requests.counts()

	tip := z.commit("two")
	require.Len(t, z.produce(), 1)
	require.Equal(t, map[string]int{
		"source":      4, // the plan, the head, whether the history is whole, the pack
		"bucket LIST": 8, // the plan, the catalog's; of snapshots and of both commits' increments before and after the upload
		"bucket HEAD": 5, // the base; the key before it is cloned, uploaded, and put there; what is there then
		"bucket PUT":  1,
	}, without(requests.counts(), "bucket GET bucket"))
	require.Len(t, z.consume(), 1)
	require.Equal(t, map[string]int{
		"destination": 5,                  // the plan, Download, the list of refs before the push, the push, its verification
		"bucket LIST": 7, "bucket GET": 1, // the plan; of snapshots and of both commits' increments before the download and before the push
	}, requests.counts())
	require.Equal(t, tip, z.tip())

	z.produce()
	require.Equal(t, 1, requests.counts()["source"])
	z.consume()
	require.Equal(t, 1, requests.counts()["destination"])
}

func without(counts map[string]int, what string) map[string]int {
	maps.DeleteFunc(counts, func(kind string, _ int) bool { return kind == what })
	return counts
}

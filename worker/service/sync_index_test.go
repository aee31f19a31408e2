package service

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/webhook"
)

// syncsOf is a list of syncs that counts how often it is read.
type syncsOf struct {
	mu    sync.Mutex
	syncs []project.Sync
	err   error
	takes time.Duration
	reads int
}

func (l *syncsOf) Syncs(ctx context.Context) ([]project.Sync, error) {
	l.mu.Lock()
	l.reads++
	syncs, err, takes := l.syncs, l.err, l.takes
	l.mu.Unlock()
	time.Sleep(takes)
	return syncs, err
}

func (l *syncsOf) set(takes time.Duration, err error, syncs ...project.Sync) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.takes, l.err, l.syncs = takes, err, syncs
}

func syncFrom(t testing.TB, source, destination string) project.Sync {
	t.Helper()
	from, err := project.ParseBranch(source)
	require.NoError(t, err)
	to, err := project.ParseBranch(destination)
	require.NoError(t, err)
	return project.Sync{Source: from, Destination: to}
}

func TestWhichSyncsAPushConcerns(t *testing.T) {
	list := &syncsOf{syncs: []project.Sync{
		syncFrom(t, "a/app@main", "m/main@main"),
		syncFrom(t, "A/App@main", "m/again@main"),
		syncFrom(t, "a/app@refs/tags/v1", "m/tag@refs/tags/v1"),
		syncFrom(t, "a/app@release-*", "m/set@release-*"),
		syncFrom(t, "a/all@refs/*", "m/all@refs/*"),
		syncFrom(t, "b/app@main", "m/other@main"),
		syncFrom(t, "b/app@main", "m/twice@main"), syncFrom(t, "b/app@dev", "M/Twice@main"), // both refused
		{Source: project.Branch{Group: "b", Name: "app", Branch: "*/"}, Destination: project.Branch{Group: "m", Name: "invalid", Branch: "*/"}},
	}}
	x := &syncIndex{list: list, log: quietLog}
	for _, tt := range []struct {
		push webhook.Push
		want []string
	}{
		{webhook.Push{Project: "a/app", Refs: []string{"refs/heads/main"}}, []string{"m/main@main", "m/again@main"}},
		{webhook.Push{Project: "A/APP", Refs: []string{"refs/heads/main"}}, []string{"m/main@main", "m/again@main"}},
		{webhook.Push{Project: "a/app", Refs: []string{"refs/tags/v1", "refs/heads/release-1"}}, []string{"m/tag@refs/tags/v1", "m/set@refs/heads/release-*"}},
		{webhook.Push{Project: "a/app", Refs: []string{"refs/heads/dev", "refs/tags/v2", "main", "", "refs/heads/release-*"}}, nil},
		{webhook.Push{Project: "a/app"}, []string{"m/main@main", "m/again@main", "m/tag@refs/tags/v1", "m/set@refs/heads/release-*"}},
		{webhook.Push{Project: "a/all", Refs: []string{"refs/heads/x", "refs/tags/y"}}, []string{"m/all@refs/*"}},
		{webhook.Push{Project: "a/all", Refs: []string{"refs/merge-requests/1/head"}}, nil},
		{webhook.Push{Project: "b/app", Refs: []string{"refs/heads/main"}}, []string{"m/other@main"}},
		{webhook.Push{Project: "m/main", Refs: []string{"refs/heads/main"}}, nil},
		{webhook.Push{Project: strings.Repeat("x", 1<<20)}, nil},
	} {
		got, err := x.destinations(t.Context(), tt.push)
		require.NoError(t, err)
		require.Equal(t, tt.want, got, "%.40q", tt.push)
	}
	require.Equal(t, 1, list.reads, "it is read once for all of them")
}

// The list is read again after a minute; while that takes long or fails, the old one does.
func TestListOfSyncsIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := &syncsOf{}
		list.set(0, errors.New("connection refused"))
		x := &syncIndex{list: list, log: quietLog}
		push := webhook.Push{Project: "a/app"}
		for range 100 {
			_, err := x.destinations(t.Context(), push)
			require.ErrorContains(t, err, "connection refused")
		}
		require.Equal(t, 1, list.reads, "a flood is none for the server of the list")

		time.Sleep(indexRetry + time.Second)
		list.set(0, nil, syncFrom(t, "a/app@main", "m/old@main"))
		require.Equal(t, []string{"m/old@main"}, found(t, x, push))
		list.set(0, nil, syncFrom(t, "a/app@main", "m/new@main"))
		require.Equal(t, []string{"m/old@main"}, found(t, x, push))
		time.Sleep(indexAge + time.Second)
		require.Equal(t, []string{"m/new@main"}, found(t, x, push))

		time.Sleep(indexAge + time.Second)
		list.set(0, errors.New("connection refused"))
		require.Equal(t, []string{"m/new@main"}, found(t, x, push), "what is wrong in it is looked at in vain")
		time.Sleep(indexAge + time.Second)
		list.set(30*time.Second, nil, syncFrom(t, "a/app@main", "m/late@main"))
		start := time.Now()
		require.Equal(t, []string{"m/new@main"}, found(t, x, push))
		require.Equal(t, indexPatience, time.Since(start))
		time.Sleep(30 * time.Second)
		require.Equal(t, []string{"m/late@main"}, found(t, x, push))
	})
}

func found(t *testing.T, x *syncIndex, push webhook.Push) []string {
	t.Helper()
	got, err := x.destinations(t.Context(), push)
	require.NoError(t, err)
	return got
}

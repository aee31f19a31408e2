package statuspage

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
)

var now = time.Date(2026, 3, 14, 10, 32, 11, 0, time.UTC)

const (
	older = "3f2a9c41d0b7e5f6a8c90112233445566778899a"
	newer = "9be01d77c2a4405f8d6e1b3c5a7f90e2d4c6b8a0"
)

// consumerView has one sync of each state.
func consumerView() fleet.View {
	return fleet.View{
		Role: "consumer", ReadAt: now.Add(-12 * time.Second), CycleEnded: now.Add(-2 * time.Minute), CycleTook: 3900 * time.Millisecond,
		CatalogCreated: now.Add(-70 * time.Second), Scheduled: true,
		Syncs: []fleet.Sync{
			{Destination: "enclave/platform/console@main", State: fleet.InSync, LastInSync: now.Add(-2 * time.Minute), Source: newer, Is: newer, Workflow: "consume/enclave/platform/console@main"},
			{
				Destination: "enclave/platform/proxy@main", State: fleet.Failing, BehindSince: now.Add(-3 * time.Hour), Source: newer, Is: older, Workflow: "consume/enclave/platform/proxy@main",
				Failure: &fleet.Failure{Kind: "PushRefused", Since: now.Add(-170 * time.Minute),
					Reason: `server refused "refs/heads/main": not updated: pre-receive hook declined: GitLab: You are not allowed to push code to protected branches on this project.`,
					Remedy: "Let the token's user push to the branch or tag: protected branches and tags, push rules and hooks of the destination decide."},
			},
			{Destination: "enclave/platform/router@release-*", State: fleet.Behind, BehindSince: now.Add(-40 * time.Second), Source: newer, Is: older, Workflow: "consume/enclave/platform/router@release-*"},
			{Destination: "enclave/tools/charts@main", State: fleet.Paused, BehindSince: now.Add(-26 * time.Hour), AtLeast: true, Source: newer, Is: older, Workflow: "consume/enclave/tools/charts@main",
				Pause: &fleet.Pause{Destination: "enclave/tools/charts@main", Reason: "the release is frozen", By: "ann@ops", Until: now.Add(90 * time.Minute)}},
			{Destination: "enclave/tools/scanner@refs/*", State: fleet.Never, BehindSince: now.Add(-9 * time.Minute), Source: newer, Workflow: "consume/enclave/tools/scanner@refs/*",
				Producer: &fleet.Failure{Kind: "GitAuthFailed", Since: now.Add(-9 * time.Minute)}},
		},
	}
}

// handlerOf serves a view.
func handlerOf(t *testing.T, view fleet.View) *Handler {
	t.Helper()
	ui, err := url.Parse("https://temporal.example.com")
	require.NoError(t, err)
	return &Handler{
		Latest: func() (fleet.View, bool) { return view, true }, UI: config.UI{TemporalUI: ui}, Namespace: "fedramp",
		Mask: foreign.NewMask("glpat-very-secret-token"), Clock: func() time.Time { return now },
	}
}

func get(t *testing.T, h http.Handler, target string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil))
	return w.Result()
}

// manyView has that many syncs, of which some are not in sync.
func manyView(n int) fleet.View {
	view := consumerView()
	view.Syncs = nil
	for i := range n {
		s := fleet.Sync{Destination: fmt.Sprintf("enclave/team-%02d/project-%05d@main", i%50, i), State: fleet.InSync, LastInSync: now.Add(-2 * time.Minute), Source: newer, Is: newer}
		s.Workflow = "consume/" + s.Destination
		if i%20 == 7 {
			s.State, s.Is, s.BehindSince, s.LastInSync = fleet.Failing, older, now.Add(-time.Duration(i)*time.Minute), time.Time{}
			s.Failure = consumerView().Syncs[1].Failure
		}
		view.Syncs = append(view.Syncs, s)
	}
	return view
}

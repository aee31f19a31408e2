package statuspage

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// However many read the page, some are served at a time, and others are told to come again.
func TestManyReaders(t *testing.T) {
	h := handlerOf(t, consumerView())
	begun, goOn := make(chan struct{}), make(chan struct{})
	h.Latest = func() (fleet.View, bool) {
		begun <- struct{}{}
		<-goOn
		return consumerView(), true
	}
	answers := make(chan int)
	for range maxReaders {
		go func() { answers <- get(t, h, "/status.json").StatusCode }()
		<-begun
	}
	refused := get(t, h, "/")
	require.Equal(t, http.StatusServiceUnavailable, refused.StatusCode)
	require.Equal(t, "5", refused.Header.Get("Retry-After"))
	said, err := io.ReadAll(refused.Body)
	require.NoError(t, err)
	require.Equal(t, "8 others read this page just now: try again\n", string(said))
	close(goOn)
	for range maxReaders {
		require.Equal(t, http.StatusOK, <-answers)
	}
	go func() { <-begun }()
	require.Equal(t, http.StatusOK, get(t, h, "/").StatusCode, "there is room again")
}

// Whoever may look for words must not find out with them what is hidden.
func TestSecretsAreNotFound(t *testing.T) {
	view := consumerView()
	view.Syncs[1].Failure = &fleet.Failure{Kind: "GitAuthFailed", Reason: "no access with glpat-very-secret-token"}
	h := handlerOf(t, view)
	require.Contains(t, text(t, h, "/?q=no+access"), "no access with ***")
	for _, part := range []string{"glpat", "very-secret"} {
		require.Contains(t, text(t, h, "/?q="+part), "No sync is like that.", part)
	}
}

// A text that is cleaned once is not known any more when no view has it, and metrics go by the view as it was.
func TestViewIsCleanedOnce(t *testing.T) {
	view := hostileView("two\nlines")
	view.ReadAt = now
	h := handlerOf(t, view)
	h.Latest = func() (fleet.View, bool) { return view, true }
	first, ok := h.latest()
	require.True(t, ok)
	require.Equal(t, map[string]string{"two\nlines": "two lines"}, h.texts)
	require.Equal(t, "two\nlines", view.Syncs[0].Failure.Reason)
	require.Equal(t, "two\nlines", view.Failures[0].Subject)

	h.Mask = foreign.NewMask("another-secret") // it is not asked again
	view.ReadAt = now.Add(1)
	view.Syncs[0].Failure.Reason, view.Syncs = "another-secret", view.Syncs[:1]
	second, _ := h.latest()
	require.Equal(t, "two lines", first.Syncs[0].Failure.Reason, "whoever has it goes on to read it")
	require.Equal(t, "***", second.Syncs[0].Failure.Reason)

	view = fleet.View{ReadAt: now.Add(2)}
	third, _ := h.latest()
	require.Empty(t, third.Syncs)
	require.Less(t, len(strings.Join(keys(h.texts), "")), 10)
}

func keys(texts map[string]string) (all []string) {
	for text := range texts {
		all = append(all, text)
	}
	return all
}

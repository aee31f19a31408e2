package httpclient_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

// asked notes when requests begin.
type asked struct {
	mu sync.Mutex
	at []time.Time
}

func (a *asked) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = append(a.at, time.Now())
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

func askOnce(ctx context.Context, client *http.Client) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://gitlab.example.com", nil)
	if err != nil {
		return err
	}
	resp, err := httpclient.Do(client, req, httpclient.Limits{Idle: time.Second})
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// However many ask at the same time, and however long they wait for their turn: the server is asked so often, and is not taken for silent.
func TestAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &asked{}
		client := httpclient.AtMost(5, &http.Client{Transport: server})
		copied := *client
		var group sync.WaitGroup
		begun := time.Now()
		for i := range 30 {
			group.Go(func() {
				c := client
				if i%2 == 0 {
					c = &copied
				}
				if err := askOnce(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		require.Equal(t, 5*time.Second, time.Since(begun)) // five at once, and then five a second
		for i := 5; i+5 < len(server.at); i++ {
			require.GreaterOrEqual(t, server.at[i+5].Sub(server.at[i]), time.Second-time.Millisecond)
		}
	})
}

func TestNoPace(t *testing.T) {
	client := &http.Client{}
	require.Same(t, client, httpclient.AtMost(0, client))
}

// Whoever is told to end does not wait for a turn, and says why it has ended.
func TestWaitForATurnEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := httpclient.AtMost(1, &http.Client{Transport: &asked{}})
		require.NoError(t, askOnce(t.Context(), client))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second/2, cancel)
		require.ErrorIs(t, askOnce(ctx, client), context.Canceled)
		limited, done := httpclient.WithLimit(t.Context(), time.Second/4)
		defer done()
		require.ErrorIs(t, askOnce(limited, client), httpclient.ErrNoTurn)
	})
}

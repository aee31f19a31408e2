package lfsapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// maxAttempts is how often a request is sent to a server that says that it is busy.
const maxAttempts = 3

// patiently sends a request again that a busy server did not take, after the pause that it asks for.
func (c *Client) patiently(ctx context.Context, send func() error) error {
	for attempt := 1; ; attempt++ {
		err := send()
		pause, busy := c.pauseAfter(err, attempt)
		if !busy || attempt == maxAttempts {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w, while the server wants a pause: %w", context.Cause(ctx), err)
		case <-timer.C:
		}
	}
}

// pauseAfter tells whether and how long an error is worth waiting for.
func (c *Client) pauseAfter(err error, attempt int) (time.Duration, bool) {
	status, ok := errors.AsType[*StatusError](err)
	if !ok || status.Code != http.StatusTooManyRequests && status.Code != http.StatusServiceUnavailable {
		return 0, false
	}
	pause := status.RetryDelay
	if pause == 0 {
		pause = min(time.Second<<(2*attempt-2), c.options.Limits.Pause) // 1 s, 4 s
	}
	return pause, pause <= c.options.Limits.Pause
}

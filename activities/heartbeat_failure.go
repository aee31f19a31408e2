package activities

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
)

// ErrTemporalLost says that a step was ended because its heartbeats did not reach Temporal.
var ErrTemporalLost = errors.New("the connection to Temporal was lost")

// heartbeatFailure returns an error if the SDK ended an activity's context because a heartbeat failed. The request
// that the activity was waiting for fails as well, and looks like a failure of the Git server or the bucket, because
// net/http returns the context's cause. A heartbeat that Temporal answered, with a cancellation or because nobody
// waits for the activity any more, did not fail.
func heartbeatFailure(ctx context.Context) error {
	cause := context.Cause(ctx)
	if !errors.Is(ctx.Err(), context.Canceled) {
		return nil
	}
	_, answered := errors.AsType[*serviceerror.NotFound](cause)
	_, refused := errors.AsType[serviceerror.ServiceError](cause)
	if answered || !refused && !errors.Is(cause, context.DeadlineExceeded) {
		return nil
	}
	return fmt.Errorf("%w: a heartbeat failed: %w", ErrTemporalLost, cause)
}

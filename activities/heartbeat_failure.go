package activities

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
)

// ErrTemporalLost says that a step was cut off because Temporal could not be told that it lives.
var ErrTemporalLost = errors.New("the connection to Temporal was lost")

// heartbeatFailure tells whether the SDK has ended an activity's context because a heartbeat failed. What the activity
// was waiting for then fails, too, and reads as if the Git server or the bucket had: net/http
// returns the context's cause as the failure of its request. A heartbeat that is answered, with a
// cancellation or with the news that nobody waits for the activity any more, is no such failure.
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

package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// A failure tells the next plan what was tried: what only a person can lift and cost a transfer is counted apart from the rest.
func TestRefusalsAreRemembered(t *testing.T) {
	const nothing, light, heavy, passing = "", "light", "heavy", "passing"
	lost := temporal.NewTimeoutError(enums.TIMEOUT_TYPE_SCHEDULE_TO_START, nil)
	silent := temporal.NewTimeoutError(enums.TIMEOUT_TYPE_HEARTBEAT, nil)
	tests := []struct {
		step string
		err  error
		want string
	}{
		{"Clone", named("GitAuthFailed"), light}, // costs nothing
		{"Package", named("DoesNotFit"), heavy},
		{"Upload", named("BucketAccessDenied"), heavy},
		{"Upload", errors.New("connection reset happened"), passing},
		{"Upload", silent, passing},
		{"Upload", named("ServerUnavailable"), passing}, // at its last attempt
		{"Upload", named("Other"), passing},
		{"Push", named("DiskFull"), passing},
		{"Upload", lost, nothing},
		{"Upload", named(activities.KindStagedFileMissing), nothing},
		{"Upload", temporal.NewCanceledError(), nothing},
		{"Download", named("ProjectNotFound"), light},
		{"Decrypt", named("Unsigned"), heavy},
		{"Decrypt", named(plan.KindObjectWithheld), nothing},
		{"Push", named("PushRefused"), heavy},
		{"Push", errors.New("connection reset happened"), passing},
	}
	for _, test := range tests {
		t.Run(test.step+" "+test.err.Error(), func(t *testing.T) {
			env := environment(t)
			steps(env, map[string]error{test.step: test.err})
			before := plan.Attempt{Evidence: "e", Refused: 2, Since: time.Unix(1, 0).UTC(), Light: test.want != heavy, Passing: test.want == passing}
			switch test.step {
			case "Clone", "Package", "Upload":
				produceProject(env, plan.Upload{Attempt: before})
			default:
				consumeProject(env, plan.Push{Attempt: before})
			}
			failure, ok := errors.AsType[*temporal.ApplicationError](env.GetWorkflowError())
			require.Equal(t, test.want != nothing, ok && failure.HasDetails())
			if test.want != nothing {
				var after plan.Attempt
				require.NoError(t, failure.Details(&after))
				require.Equal(t, test.want == passing && !failure.NonRetryable(), after.Seconds > 60, "with its pauses")
				after.Seconds = 0
				require.Equal(t, plan.Attempt{Evidence: "e", Refused: 3, Since: before.Since, Light: before.Light, Passing: before.Passing}, after)
				require.Equal(t, test.want == heavy || test.err.Error() == named(failure.Type()).Error(), failure.NonRetryable())
			}
		})
	}
}

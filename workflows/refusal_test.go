package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// What only a person can lift, and cost a transfer, is remembered in the failure for the next plan.
func TestRefusalsAreRemembered(t *testing.T) {
	tests := []struct {
		step       string
		err        error
		remembered bool
	}{
		{"Clone", named("GitAuthFailed"), false}, // costs nothing
		{"Package", named("DoesNotFit"), true},
		{"Upload", named("BucketAccessDenied"), true},
		{"Upload", errors.New("connection reset"), false},
		{"Upload", named(activities.KindStagedFileMissing), false},
		{"Download", named("ProjectNotFound"), false},
		{"Decrypt", named("Unsigned"), true},
		{"Decrypt", named(plan.KindObjectWithheld), false},
		{"Push", named("PushRefused"), true},
		{"Push", errors.New("connection reset"), false},
	}
	for _, test := range tests {
		t.Run(test.step+" "+test.err.Error(), func(t *testing.T) {
			env := environment(t)
			steps(env, map[string]error{test.step: test.err})
			before := plan.Attempt{Evidence: "e", Refused: 2, Since: time.Unix(1, 0).UTC()}
			switch test.step {
			case "Clone", "Package", "Upload":
				produceProject(env, plan.Upload{Attempt: before})
			default:
				consumeProject(env, plan.Push{Attempt: before})
			}
			var failure *temporal.ApplicationError
			require.ErrorAs(t, env.GetWorkflowError(), &failure)
			require.Equal(t, test.remembered, failure.HasDetails())
			if test.remembered {
				var after plan.Attempt
				require.NoError(t, failure.Details(&after))
				require.Equal(t, plan.Attempt{Evidence: "e", Refused: 3, Since: before.Since}, after)
				require.True(t, failure.NonRetryable())
				require.Contains(t, failure.Message(), "happened")
			}
		})
	}
}

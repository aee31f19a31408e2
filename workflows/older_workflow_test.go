package workflows_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
)

// While a side is upgraded, a workflow of the release before LFS may have gone on after a step of this one that had found LFS
// objects. Its run can be taken over: it would be stuck otherwise.
func TestOlderWorkflowIsTakenOver(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]struct{ history, step, found string }{
		"LFS at the source":           {"produce-project", "Clone", `"lfs":true,`},
		"LFS objects":                 {"consume-project", "Decrypt", `"lfs_objects":2,"lfs_size":7,`},
		"short steps of the producer": {"produce-project", "Clone", `"short":true,`},
		"short steps of the consumer": {"consume-project", "Download", `"short":true,`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			history := recordedHistory(t, said.history+".json")
			addToResult(t, history, said.step, said.found)
			require.NoError(t, replay(history))
		})
	}
}

// addToResult adds members to the result of an activity.
func addToResult(t *testing.T, history *historypb.History, activity, members string) {
	t.Helper()
	names := map[int64]string{}
	added := 0
	for _, event := range history.Events {
		if scheduled := event.GetActivityTaskScheduledEventAttributes(); scheduled != nil {
			names[event.EventId] = scheduled.ActivityType.Name
		}
		if completed := event.GetActivityTaskCompletedEventAttributes(); completed != nil && names[completed.ScheduledEventId] == activity {
			payload := completed.Result.Payloads[0]
			payload.Data = bytes.Replace(payload.Data, []byte("{"), []byte("{"+members), 1)
			added++
		}
	}
	require.Equal(t, 1, added)
}

package workflows_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
)

// While a side is upgraded, a workflow of the release before LFS may have gone on after a step of this one that had found LFS
// objects. Its run can be taken over: it would be stuck otherwise.
func TestOlderWorkflowIsTakenOver(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]struct{ step, found string }{
		"produce-project": {"Clone", `"lfs":true,`},
		"consume-project": {"Decrypt", `"lfs_objects":2,"lfs_size":7,`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.Open(filepath.Join(histories, name+".json"))
			require.NoError(t, err)
			defer text.Close()
			history, err := client.HistoryFromJSON(text, client.HistoryJSONOptions{})
			require.NoError(t, err)
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

package command

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// What fails now counts more than what the last run ended with, of which it may be the later word.
func TestStatusTellsWhatIsNow(t *testing.T) {
	t.Parallel()
	for want, b := range map[string]branchStatus{
		"frozen; Tried once since noon (PushRefused)": {Reason: "frozen; Tried once since noon", Kind: "PushRefused", LastError: "frozen"},
		"no such project (ProjectNotFound)":           {Reason: "no such project", Kind: "ProjectNotFound", LastError: "frozen"},
		"frozen":                                      {Reason: "the bucket is ahead", LastError: "frozen"},
		"the bucket is ahead":                         {Reason: "the bucket is ahead"},
	} {
		var out bytes.Buffer
		require.NoError(t, printStatus(&out, []branchStatus{b}))
		require.Contains(t, out.String(), "  "+want+"\n")
	}
}

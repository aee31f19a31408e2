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

// Commands find a destination's run whatever its project and its pattern are called.
func TestDestinationIdentity(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Mirror/App@main":                "mirror/app@main",
		"mirror/app@refs/heads/main":     "mirror/app@main",
		"mirror/app@*":                   "mirror/app@refs/heads/*",
		"mirror/app@release-*":           "mirror/app@refs/heads/release-*",
		"mirror/app@refs/tags/*":         "mirror/app@refs/tags/*",
		"Mirror/App@refs/*":              "mirror/app@refs/*",
		"mirror/app@refs/merge-requests": "mirror/app@refs/merge-requests",
	} {
		require.Equal(t, want, destinationIdentity(text))
	}
}

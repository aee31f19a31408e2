package command

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/plan"
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

// A consumer's status says what the other side knows: where the source is as of when, since when the destination is behind
// that although it has all that the bucket has, and what fails at the producer.
func TestStatusTellsOfTheSource(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d - time.Second) }
	since := time.Date(2026, 11, 27, 14, 2, 0, 0, time.UTC)
	for want, b := range map[string]*branchStatus{
		"yes  d  aaaaaaa  aaaaaaa, 2 minutes ago  3 hours ago": branchStatus{Destination: "d", InSync: true, Since: ago(3 * time.Hour)}.withSource(
			&plan.SourceStatus{State: "aaaaaaaaaa", Destination: "aaaaaaaaaa", SeenAt: ago(2 * time.Minute)}),
		"no  d  aaaaaaa  bbbbbbb, 2 minutes ago  4 minutes ago  the bucket has nothing newer yet": branchStatus{Destination: "d", InSync: true, Since: ago(3 * time.Hour)}.withSource(
			&plan.SourceStatus{State: "bbbbbbbbbb", Destination: "aaaaaaaaaa", SeenAt: ago(2 * time.Minute), BehindSince: ago(4 * time.Minute)}),
		"no  d  nothing  never seen  the bucket has no object of it yet; producer: GitAuthFailed since 2026-11-27 14:02Z": branchStatus{Destination: "d", Reason: "the bucket has no object of it yet"}.withSource(
			&plan.SourceStatus{Failure: "GitAuthFailed", FailingSince: since}),
		"yes  d  aaaaaaa  aaaaaaa, 2 minutes ago  3 hours ago  producer: GitAuthFailed since 2026-11-27 14:02Z": branchStatus{Destination: "d", InSync: true, Since: ago(3 * time.Hour)}.withSource(
			&plan.SourceStatus{State: "aaaaaaaaaa", Destination: "aaaaaaaaaa", SeenAt: ago(2 * time.Minute), Failure: "GitAuthFailed", FailingSince: since}),
		"no  d  aaaaaaa  bbbbbbb, 2 minutes ago  4 minutes ago  kept back (ObjectWithheld)": branchStatus{Destination: "d", Kind: "ObjectWithheld", Reason: "kept back"}.withSource(
			&plan.SourceStatus{State: "bbbbbbbbbb", Destination: "aaaaaaaaaa", SeenAt: ago(2 * time.Minute), BehindSince: ago(4 * time.Minute)}),
		"no  d  unknown": {Destination: "d"},
	} {
		var out bytes.Buffer
		require.NoError(t, printStatus(&out, []branchStatus{*b, {Source: &plan.SourceStatus{}}}))
		lines := strings.Split(out.String(), "\n")
		require.Equal(t, "IN SYNC  DESTINATION  IS AT  SOURCE  SINCE  WHY NOT", spaced(lines[0]))
		require.Equal(t, want, spaced(lines[1]))
	}
}

// spaced has two spaces in the place of more.
func spaced(line string) string {
	return strings.TrimSpace(regexp.MustCompile(" {2,}").ReplaceAllString(line, "  "))
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

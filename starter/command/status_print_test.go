package command

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

var at = time.Date(2026, 11, 27, 14, 0, 0, 0, time.UTC)

func before(d time.Duration) time.Time { return at.Add(-d) }

func ends(is, source string) plan.Ends {
	return plan.Ends{Is: strings.Repeat(is, 40), Source: strings.Repeat(source, 40), Objects: 3, Size: 263_000_000}
}

func printedStatus(t *testing.T, width int, side sideStatus) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, statusPrinter{now: at, width: width}.print(&out, side, side.syncs))
	return out.String()
}

// What is now comes first; what was is told with its age; what several fail with is said once. At 80 columns nothing is cut, and no
// line is longer.
func TestStatusAt80Columns(t *testing.T) {
	t.Parallel()
	const frozen = "the Git server refused the push: protected branch\nLet the token's user push to the branch, or do something else about it.\nTried once since 1; the first cycle after 2 tries again, starter retry at once."
	failing := func(name string) syncStatus {
		return syncStatus{
			Destination: "mirror/" + name + "@main", State: fleet.Failing, Since: before(3 * time.Hour), Ends: ends("1", "2"), Kind: "PushRefused", Reason: frozen,
			LastError: "the Git server refused the push: protected branch", LastErrorKind: "PushRefused", LastErrorAt: before(time.Hour),
		}
	}
	side := sideStatus{
		notes: []string{"the schedule is paused, changed last 3 h ago: maintenance of the servers on both sides until Monday"},
		cycle: fleet.Cycle{Ended: before(5 * time.Hour)},
		syncs: []syncStatus{
			{Destination: "mirror/fine@main", State: fleet.InSync, InSync: true, Since: before(20 * day), Ends: ends("1", "1")},
			failing("b"), failing("a"),
			{Destination: "bucket", Side: true, State: fleet.Failing, Kind: "CatalogNotWritten", Reason: "no\nLook at the store."},
			{Destination: "mirror/new@main", State: fleet.Never, Reason: "the bucket has no object of it yet", Source: &plan.SourceStatus{Failure: "GitAuthFailed", FailingSince: before(2 * day)}},
			{Destination: "mirror/paused@main", State: fleet.Paused, Ends: ends("1", "2"), Pause: &fleet.Pause{Reason: "audit", By: "ann", Until: before(-72 * time.Hour)}},
			{
				Destination: "mirror/a-group-with-a-long-name/and-a-project-with-another@release-2026.11", State: fleet.Behind, Since: before(8 * time.Minute),
				Ends: plan.Ends{Is: "1111111111", Source: "2222222222", AtLeast: true}, Reason: "the destination is at 1111111, the bucket at 2222222",
				LastError: "no connection to git.example:443 within 10 s, whatever was tried of it", LastErrorKind: "NoConnection", LastErrorAt: before(3 * time.Hour),
			},
			{Destination: "mirror/busy@main", State: fleet.Behind, Since: before(5 * time.Second), Ends: plan.Ends{Unread: true}, AtWorkSince: before(4 * time.Second)},
		},
	}
	want := `the schedule is paused, changed last 3 h ago: maintenance of the servers on both
sides until Monday
7 syncs: 1 in sync, 1 paused, 2 behind, 1 never arrived, 2 failing; 1 failure of
the side as a whole; the last cycle of all ended 5 h ago
STATE    SINCE       IS AT    SOURCE   SIZE    DESTINATION
failing                                        bucket
         CatalogNotWritten: no
         Look at the store.
failing  3 h         1111111  2222222  263 MB  mirror/a@main
failing  3 h         1111111  2222222  263 MB  mirror/b@main
         PushRefused, these 2: the Git server refused the push: protected branch
         Let the token's user push to the branch, or do something else about it.
         Tried before; one of the next cycles tries again, starter retry at
         once.
never                nothing  ?                mirror/new@main
         the bucket has no object of it yet
         the producer has never seen its source
         producer: GitAuthFailed for 2 days
behind   over 8 min  1111111  2222222
         mirror/a-group-with-a-long-name/and-a-project-with-another@release-2026.11
         the destination is at 1111111, the bucket at 2222222
         before, 3 h ago: no connection to git.example:443 within 10 s, whatever
         was tried of it (NoConnection)
behind   5 s         ?        ?                mirror/busy@main
         at work for 4 s
paused               1111111  2222222  263 MB  mirror/paused@main
         until ` + clockTime(before(-72*time.Hour), at) + `, by ann: audit
in sync  20 days     1111111  1111111  263 MB  mirror/fine@main
`
	out := printedStatus(t, 80, side)
	require.Equal(t, want, out)
	for line := range strings.Lines(out) {
		require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 83, "only a name that is longer is")
	}
	require.Contains(t, printedStatus(t, 0, side), "  before, 3 h ago: no connection to git.example:443 within 10 s, whatever was tried of it (NoConnection)\n",
		"a program that reads it gets lines as they are")
}

// The reason of now is never one of before.
func TestStatusTellsWhatIsNow(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		b       syncStatus
		want    []string
		without string
	}{
		"refused, and left alone for now": {
			syncStatus{State: fleet.Failing, Reason: "frozen; Tried once", Kind: "PushRefused", LastError: "frozen", LastErrorKind: "PushRefused", LastErrorAt: before(time.Hour)},
			[]string{"         PushRefused: frozen; Tried once\n"}, "before",
		},
		"something else fails now": {
			syncStatus{State: fleet.Failing, Reason: "no such project", Kind: "ProjectNotFound", LastError: "frozen", LastErrorKind: "PushRefused", LastErrorAt: before(time.Hour)},
			[]string{"         ProjectNotFound: no such project\n", "         before, 60 min ago: frozen (PushRefused)\n"}, "",
		},
		"nothing is wrong now": {
			syncStatus{State: fleet.Failing, Reason: "the bucket is ahead", LastError: "frozen", LastErrorKind: "PushRefused", LastErrorAt: before(3 * time.Hour)},
			[]string{"         the bucket is ahead\n", "         before, 3 h ago: frozen (PushRefused)\n"}, "",
		},
		"nothing newer in the bucket": {
			syncStatus{State: fleet.Behind, Source: &plan.SourceStatus{State: "2", BehindSince: before(time.Minute)}},
			[]string{"        the bucket has nothing newer yet\n"}, "before",
		},
	} {
		out := printedStatus(t, 80, sideStatus{syncs: []syncStatus{tt.b}})
		for _, want := range tt.want {
			require.Contains(t, out, want, name)
		}
		if tt.without != "" {
			require.NotContains(t, out, tt.without, name)
		}
	}
}

// What many last runs ended with is said once, too.
func TestStatusSaysEachTextOnce(t *testing.T) {
	t.Parallel()
	var side sideStatus
	for _, name := range []string{"a", "b", "c"} {
		side.syncs = append(side.syncs, syncStatus{
			Destination: "g/" + name + "@main", State: fleet.Failing, Reason: "the destination is at " + name, LastError: "push to g/" + name + ".git: no", LastErrorKind: "K", LastErrorAt: before(time.Minute),
		})
	}
	out := printedStatus(t, 80, side)
	require.Equal(t, 1, strings.Count(out, "push to"), out)
	require.Contains(t, out, "         before, 60 s ago, these 3: push to ....git: no (K)\n")
}

func TestAges(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 s", 59 * time.Second: "59 s", 119 * time.Second: "119 s", 3 * time.Minute: "3 min", 3 * time.Hour: "3 h", 47 * time.Hour: "47 h", 50 * time.Hour: "2 days", 800 * day: "800 days",
	} {
		require.Equal(t, want, age(before(d), at))
	}
	require.Empty(t, age(time.Time{}, at))
}

func TestColoursAreAroundTheState(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	side := sideStatus{syncs: []syncStatus{{Destination: "g/a@main", State: fleet.Failing, Kind: "K"}, {Destination: "g/b@main", State: fleet.InSync}}}
	require.NoError(t, statusPrinter{now: at, width: 80, coloured: true}.print(&out, side, side.syncs))
	require.Contains(t, out.String(), styleBad+"failing"+styleOff+"  ")
	require.Contains(t, out.String(), styleGood+"in sync"+styleOff+"  ")
}

// What has never arrived was never for some time.
func TestWhereOfWhatNeverArrived(t *testing.T) {
	t.Parallel()
	p := statusPrinter{now: time.Unix(1000, 0)}
	b := syncStatus{State: fleet.Never}
	require.True(t, strings.HasPrefix(p.where(b), "nothing has arrived yet; is at nothing"), p.where(b))
	b.Since = time.Unix(954, 0)
	require.Contains(t, p.where(b), "nothing has arrived yet, for 46 s")
}

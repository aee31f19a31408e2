package command

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever steers cycles is told what else starts them, what does not, and what to do.
func TestSchedule(t *testing.T) {
	t.Parallel()
	temporalOf(t, "schedule")
	for _, step := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"schedule", "describe"}, exitFailed, "starter: consumer-sync is not scheduled: make the schedule with schedule create\n"},
		{[]string{"schedule", "pause"}, exitFailed, "starter: consumer-sync is not scheduled: make the schedule with schedule create\n"},
		{[]string{"cron", "stop"}, exitFailed, "starter: consumer-sync is not running\n"},
		{[]string{"cron", "start"}, 0, "... no worker polls git-partition-sync-consumer in the namespace \"schedule\": start one (worker -role consumer), see its log, or set TEMPORAL_NAMESPACE to the one that is meant\n"},
		{[]string{"cron", "start"}, exitFailed, "starter: the cron workflow consumer-sync runs already: end it with cron stop to start it anew\n"},
		{[]string{"schedule", "create"}, 0, "... the cron workflow consumer-sync runs, too, and with both every scan is made twice: cron stop ends it\n"},
		{[]string{"cron", "stop"}, 0, "consumer-sync is stopped"},
		{[]string{"cron", "start"}, 0, "... there is a schedule consumer-sync, too, and with both every scan is made twice: schedule delete or cron stop ends one of them\n"},
		{[]string{"cron", "stop"}, 0, "consumer-sync is stopped"},
		{[]string{"schedule", "pause", "--note", "GitLab is upgraded"}, 0, "consumer-sync is paused; what is running finishes\n"},
		{[]string{"schedule", "create", "--every", "10m"}, 0, "... it stays paused (GitLab is upgraded): schedule unpause starts cycles again\n"},
		{[]string{"schedule", "describe"}, 0, "consumer-sync, paused: GitLab is upgraded\nevery 10m0s, at most 1m0s later\n"},
		{[]string{"schedule", "unpause"}, 0, "... no worker polls"},
		{[]string{"schedule", "describe"}, 0, " from now)\n"},
		{[]string{"schedule", "backfill", "--start", "2026-01-01T00:00:00Z", "--end", "2025-01-01T00:00:00Z"}, exitUsage, "the end is not after the start"},
		{[]string{"schedule", "delete"}, 0, "consumer-sync is no longer scheduled"},
	} {
		p := start(t, "schedule", step.args...)
		require.Equal(t, step.code, p.exit(), "%v: %s%s", step.args, &p.out, &p.err)
		require.Contains(t, p.out.String()+p.err.String(), step.says, step.args)
		require.NotContains(t, p.err.String(), "rpc")
	}
}

// What answers, or does not, is said in words.
func TestConnectionsInWords(t *testing.T) {
	t.Parallel()
	temporalOf(t, "words")
	for text, environ := range map[string][]string{
		`the namespace "nowhere" does not exist there: create it (temporal operator namespace create nowhere), or set TEMPORAL_NAMESPACE to the one that is meant`: {"TEMPORAL_NAMESPACE=nowhere"},
		`connect to temporal at "127.0.0.1:1": nothing listens there (connection refused): start Temporal, or correct TEMPORAL_ADDRESS`:                            {"TEMPORAL_ADDRESS=127.0.0.1:1"},
		`connect to temporal at "nowhere.invalid:7233": its name has no address: see TEMPORAL_ADDRESS`:                                                             {"TEMPORAL_ADDRESS=nowhere.invalid:7233"},
		`it does not speak TLS: set TEMPORAL_TLS=false`: {"TEMPORAL_TLS=true"},
	} {
		for _, args := range [][]string{{"run"}, {"status"}, {"schedule", "describe"}, {"setup"}} {
			p := startWith(t, environ, "words", args...)
			require.Equal(t, exitFailed, p.exit())
			require.Contains(t, p.err.String(), text, args)
			require.NotRegexp(t, `rpc error|desc =|serviceerror|context deadline`, p.err.String())
		}
	}
}

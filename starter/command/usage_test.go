package command

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every command refuses what it does not know, in one line that says what was meant and where to look, and shows no help.
func TestUsageErrors(t *testing.T) {
	t.Setenv("SYNC_ROLE", "consumer")
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	for _, test := range []struct {
		args []string
		text string
	}{
		{[]string{"stat"}, `unknown command "stat"; did you mean "status"? (see "starter --help")`},
		{[]string{"frobnicate"}, `unknown command "frobnicate" (see "starter --help")`},
		{[]string{"schedule", "creat"}, `unknown command "creat"; did you mean "create"? (see "starter schedule --help")`},
		{[]string{"schedule"}, `say which command of "starter schedule": create, update, describe, pause, unpause, trigger, backfill, delete`},
		{[]string{"cron"}, `say which command of "starter cron": start, stop`},
		{[]string{"run", "--outputs", "json"}, `unknown flag --outputs; did you mean "--output"? (see "starter run --help")`},
		{[]string{"run", "--timeuot", "1s"}, `unknown flag --timeuot; did you mean "--timeout"? (see "starter run --help")`},
		{[]string{"run", "--xyz"}, `unknown flag --xyz (see "starter run --help")`},
		{[]string{"run", "-o"}, `flag needs an argument: -o (see "starter run --help")`},
		{[]string{"setup", "now"}, `"starter setup" takes no arguments, and was given "now" (see "starter setup --help")`},
		{[]string{"schedule", "trigger", "a/b@main"}, `"starter schedule trigger" takes no arguments, and was given "a/b@main" (see "starter schedule trigger --help")`},
		{[]string{"schedule", "backfill", "--start", "2026-01-01T00:00:00Z"}, `required flag "end" not set (see "starter schedule backfill --help")`},
		{[]string{"--timeout", "-1s", "run"}, `invalid value "-1s" for flag -timeout: less than 0 (see "starter --help")`},
		{[]string{"help", "ruin"}, `No help topic for 'ruin'`},
		{[]string{"run", "not-a-destination"}, `not-a-destination`},
	} {
		var out, errors bytes.Buffer
		app := newApp()
		app.Writer, app.ErrWriter = &out, &errors
		err := asUsage(app.Run(t.Context(), append([]string{"starter"}, test.args...)))
		require.ErrorContains(t, err, test.text)
		require.Equal(t, exitUsage, outcomeOf(err).code, "%s: %v", test.args, err)
		require.Empty(t, out.String()+errors.String(), test.args)
	}
}

// Whoever says nothing is shown the help, and nothing is started: the program that it replaces started cycles then.
func TestWithoutCommand(t *testing.T) {
	var out, errors bytes.Buffer
	app := newApp()
	app.Writer, app.ErrWriter = &out, &errors
	err := asUsage(app.Run(t.Context(), []string{"starter"}))
	require.ErrorContains(t, err, "nothing was started")
	require.Equal(t, exitUsage, outcomeOf(err).code)
	require.Contains(t, errors.String(), "COMMANDS:")
	require.Empty(t, out.String())
}

func TestVersion(t *testing.T) {
	var out bytes.Buffer
	app := newApp()
	app.Writer = &out
	require.NoError(t, app.Run(t.Context(), []string{"starter", "--version"}))
	require.Regexp(t, `^git-partition-sync/\S+, starter, go1\.\S+\n$`, out.String())
}

func TestWantsJSON(t *testing.T) {
	for _, args := range [][]string{{"run", "-o", "json"}, {"run", "-o=json"}, {"run", "--output", "json", "--unknown"}, {"--output=json"}} {
		require.True(t, wantsJSON(args), args)
	}
	for _, args := range [][]string{{"run"}, {"run", "-o"}, {"run", "-o", "table"}, {"run", "json"}, {"run", "o", "json"}} {
		require.False(t, wantsJSON(args), args)
	}
}

// What comes back from a command says how the program ends.
func TestOutcomes(t *testing.T) {
	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt()
	late, end := context.WithTimeoutCause(t.Context(), 0, errTimeIsUp)
	defer end()
	<-late.Done()
	for _, test := range []struct {
		err  error
		code int
		kind string
	}{
		{usagef("x"), exitUsage, "Usage"},
		{&fromAction{usagef("x")}, exitUsage, "Usage"},
		{shownf(exitFailed, "x"), exitFailed, "Failed"},
		{context.Canceled, exitFailed, "Failed"},
		{stopped(interrupted, nil, "x goes on"), exitInterrupted, "Interrupted"},
		{stopped(late, nil, "x goes on"), exitTimeout, "Timeout"},
	} {
		end := outcomeOf(test.err)
		require.Equal(t, test.code, end.code, test.err)
		require.Equal(t, test.kind, end.kind, test.err)
	}
	require.NoError(t, stopped(t.Context(), nil, "nothing"))
}

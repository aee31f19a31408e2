package command

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// run is the starter with nothing that answers at Temporal's address.
func run(t *testing.T, environ map[string]string, args ...string) error {
	t.Helper()
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	for _, name := range []string{"PUBLIC_KEY", "PRIVATE_KEY", "SYNC_ROLE", "RECONCILE_SLEEP_TIME"} {
		t.Setenv(name, environ[name])
	}
	return newApp().Run(t.Context(), append([]string{"starter"}, args...))
}

func TestCommandLine(t *testing.T) {
	producer := map[string]string{"PUBLIC_KEY": "x"}
	const connects = `connect to temporal at "127.0.0.1:1"` // the command line was understood
	tests := map[string]struct {
		environ map[string]string
		args    []string
		err     string
	}{
		"as the predecessor's container": {producer, []string{"-dry-run=true", "-run-once=true"}, "GITLAB_TOKEN is not set"},
		"planned by a worker":            {producer, []string{"-dry-run"}, connects},
		"the consumer's":                 {map[string]string{"PRIVATE_KEY": "x"}, []string{"-run-once"}, connects},
		"nothing by default":             {producer, nil, "nothing was started: say which command"},
		"role by flag":                   {nil, []string{"-role", "consumer", "-run-once"}, connects},
		"role by variable":               {map[string]string{"SYNC_ROLE": "consumer"}, []string{"run"}, connects},
		"role after the command":         {nil, []string{"plan", "--role", "producer", "-o", "json"}, connects},
		"no role":                        {nil, []string{"run"}, "say -role producer or -role consumer"},
		"two roles":                      {map[string]string{"PUBLIC_KEY": "x", "PRIVATE_KEY": "x"}, []string{"run"}, "which side?"},
		"unknown role":                   {nil, []string{"-role", "both", "run"}, `role is "both"`},
		"unknown command":                {producer, []string{"ruin"}, `unknown command "ruin"; did you mean "run"? (see "starter --help")`},
		"unknown format":                 {producer, []string{"status", "-o", "xml"}, `output is "xml", not table or json`},
		"interval":                       {producer, []string{"schedule", "create", "--every", "1m"}, connects},
		"interval by variable":           {map[string]string{"PUBLIC_KEY": "x", "RECONCILE_SLEEP_TIME": "90s"}, []string{"cron", "start"}, connects},
		"no interval":                    {producer, []string{"schedule", "create", "--every", "soon"}, "soon"},
		"too short":                      {producer, []string{"schedule", "create", "--every", "10ms"}, "less than 1s"},
		"retry of nothing":               {producer, []string{"retry"}, "name the destinations to retry"},
		"retry of some and all":          {producer, []string{"retry", "--all", "group/name@main"}, "name the destinations to retry"},
		"pause of nothing":               {producer, []string{"pause"}, "name one destination"},
		"pause of two":                   {producer, []string{"pause", "group/name@main", "group/name@next"}, "name one destination"},
		"pause of a project":             {producer, []string{"pause", "group/name"}, "is not a branch"},
		"pause for too long":             {producer, []string{"pause", "group/name@main", "--for", "721h"}, "721h0m0s is not from 1m to 720h (30 days)"},
		"pause for too short":            {producer, []string{"pause", "--for", "59s", "group/name@main"}, "59s is not from 1m"},
		"pause for long reasons":         {producer, []string{"pause", "--reason", strings.Repeat("x", 201), "group/name@main"}, "more than 200 characters"},
		"pause":                          {producer, []string{"pause", "group/name@main", "--for", "48h"}, connects},
		"unpause of nothing":             {producer, []string{"unpause"}, "name one destination"},
		"run of some":                    {producer, []string{"run", "group/name@main", "group/name@refs/tags/v1"}, connects},
		"plan of one":                    {producer, []string{"plan", "group/name@release-*"}, connects},
		"dry run of a command":           {producer, []string{"-dry-run", "run", "group/name@main"}, "stand without a command: to only plan, say plan"},
		"once, of some":                  {producer, []string{"-run-once", "group/name@main"}, "stand without a command"},
		"keys nowhere":                   {nil, []string{"keys"}, "name one folder"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, run(t, test.environ, test.args...), test.err)
		})
	}
}

func TestIntervalByVariableIsChecked(t *testing.T) {
	for value, want := range map[string]string{"soon": "RECONCILE_SLEEP_TIME", "10ms": "less than 1s", "-5m": "less than 1s"} {
		err := run(t, map[string]string{"PUBLIC_KEY": "x", "RECONCILE_SLEEP_TIME": value}, "schedule", "create")
		require.ErrorContains(t, err, want)
	}
}

// Ctrl-C ends the starter, and nothing that it has started.
func TestInterrupted(t *testing.T) {
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	err := execute(ctx, []string{"starter", "-role", "consumer", "retry", "--all"})
	require.ErrorContains(t, err, "interrupted: nothing was started")
	require.ErrorContains(t, execute(t.Context(), []string{"starter", "ruin"}), `unknown command "ruin"`)
}

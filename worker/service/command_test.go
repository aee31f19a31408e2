package service

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseCommand(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want command
		err  string
	}{
		{nil, command{role: "consumer"}, ""},
		{[]string{"-role", "producer"}, command{role: "producer"}, ""},
		{[]string{"--role=producer", "-check"}, command{role: "producer", check: true}, ""},
		{[]string{"--version"}, command{role: "consumer", version: true}, ""},
		{[]string{"help"}, command{role: "consumer", help: true}, ""},
		{[]string{"-h"}, command{role: "consumer", help: true}, ""},
		{[]string{"--help"}, command{role: "consumer", help: true}, ""},
		{[]string{"producer"}, command{}, `unknown argument "producer"`},
		{[]string{"-check", "now"}, command{}, `unknown argument "now"`},
		{[]string{"help", "me"}, command{}, `unknown argument "help"`},
		{[]string{"--roll", "producer"}, command{}, "flag provided but not defined: -roll"},
	} {
		var out bytes.Buffer
		got, err := parseCommand(tt.args, "consumer", &out)
		if tt.err != "" {
			require.EqualError(t, err, tt.err)
			require.Empty(t, out.String())
			continue
		}
		require.NoError(t, err)
		require.Equal(t, tt.want, got)
		require.Equal(t, tt.want.help, out.Len() > 0)
	}
}

// The first and the last are seen on the program itself, in package e2e.
func TestExitOfUsageErrors(t *testing.T) {
	require.Equal(t, exitUsage, Main([]string{"worker", "-nonsense"}))
	require.Equal(t, 0, Main([]string{"worker", "--version"}))
	t.Setenv("HEALTH_ADDRESS", "")
	require.Equal(t, exitFailed, Main([]string{"worker", "-check"}))
}

package activities

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// More syncs than Temporal takes are refused as that: the cycle would be stuck with them.
func TestTooManySyncsAreRefused(t *testing.T) {
	named := func(length int) project.Sync {
		b := project.Branch{Group: strings.Repeat("g", length), Name: "name", Branch: strings.Repeat("b", length)}
		return project.Sync{Source: b, Destination: b}
	}
	for name, test := range map[string]struct {
		syncs, length int
		refused       string
	}{
		"as many as there may be":       {maxSyncs, 20, ""},
		"one more":                      {maxSyncs + 1, 1, "8001 syncs are configured"},
		"fewer, with the longest names": {2_000, 240, "the 2000 syncs that are configured take "},
	} {
		t.Run(name, func(t *testing.T) {
			syncs := make([]project.Sync, test.syncs)
			for i := range syncs {
				syncs[i] = named(test.length)
			}
			p := &Producer{Syncs: &listed{syncs: syncs}}
			env := newActivities()
			env.RegisterActivity(p)
			_, err := env.ExecuteActivity(p.ListSyncs)
			if test.refused == "" {
				require.NoError(t, err)
				return
			}
			failure, ok := errors.AsType[*temporal.ApplicationError](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, "GraphQLTooLarge", failure.Type())
			require.Contains(t, failure.Message(), test.refused)
		})
	}
}

package faults_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// requireTrueStates sees to it that each sync's destination only ever was in states that its source was in, in the same order.
// Of a set, that is the state of all of its refs together.
func (s *soak) requireTrueStates(t testing.TB) {
	t.Helper()
	for _, p := range soakProjects {
		source, destination := transactions(t, s.Source.Server, p.repo), transactions(t, s.Destination.Server, "mirror/"+p.repo)
		for _, sync := range p.syncs {
			strange := notOf(states(source, sync), states(destination, sync))
			assert.Empty(t, strange, "%s@%s was in a state that its source was not in, or not by then; the source's:\n%s\nthe destination's:\n%s", p.repo, sync, source, destination)
		}
	}
}

// transactions are those of a repository's refs, as remember writes them down.
func transactions(t testing.TB, server *gitserver.Server, repo string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(server.Dir(repo), remembered))
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	return string(text)
}

// states are those that a sync's refs were in, one after the other.
func states(transactions, sync string) (states []string) {
	refs := map[string]string{}
	for transaction := range strings.SplitSeq(transactions, "\n\n") {
		for line := range strings.Lines(transaction) {
			fields := strings.Fields(line) // old, new, ref
			if len(fields) != 3 || !isOf(sync, fields[2]) {
				continue
			}
			refs[fields[2]] = fields[1][:10]
			if strings.Trim(fields[1], "0") == "" {
				delete(refs, fields[2])
			}
		}
		var state strings.Builder
		for _, ref := range slices.Sorted(maps.Keys(refs)) {
			state.WriteString(ref + " " + refs[ref] + "\n")
		}
		if len(states) == 0 && len(refs) > 0 || len(states) > 0 && states[len(states)-1] != state.String() {
			states = append(states, state.String())
		}
	}
	return states
}

func TestStatesAreThoseOfAllRefsTogether(t *testing.T) {
	const zero, one, two = "0000000000000000000000000000000000000000", "1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222"
	log := zero + " " + one + " refs/heads/main\n\n" +
		zero + " " + one + " refs/git-partition-sync/x\n" + zero + " " + two + " refs/tags/v1\n\n" +
		one + " " + two + " refs/heads/main\n" + two + " " + zero + " refs/tags/v1\n\n"
	require.Equal(t, []string{
		"refs/heads/main 1111111111\n",
		"refs/heads/main 1111111111\nrefs/tags/v1 2222222222\n",
		"refs/heads/main 2222222222\n",
	}, states(log, "refs/*"))
	require.Equal(t, []string{"refs/heads/main 1111111111\n", "refs/heads/main 2222222222\n"}, states(log, "main"))
	require.Equal(t, []string{"refs/tags/v1 2222222222\n", ""}, states(log, "refs/tags/v1"))
	require.Equal(t, []string{"b", "c"}, notOf([]string{"a", "b", "c", "a"}, []string{"a", "c", "a", "b", "c"}))
}

package e2e_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// A damaged object is replaced by the producer's next cycle, which knows by its catalog and by Temporal what it has uploaded, and nothing
// else is.
func TestDamagedObjectIsReplaced(test *testing.T) {
	test.Parallel()
	t := begin(test)
	a := newAttacker(t)
	create(t, t.Source, "heal/app")
	create(t, t.Destination, "mirror/heal/damaged", "mirror/heal/sound")
	configure(t, [2]string{"heal/app@main", "mirror/heal/damaged@main"}, [2]string{"heal/app@main", "mirror/heal/sound@main"})
	_, err := t.Source.Commit(t.Context(), "heal/app", "main", map[string]string{"file": incompressible(10_000)}, "one")
	require.NoError(t, err)
	require.Contains(t, cycle(t, stack.Producer), "2 synced")
	require.Contains(t, cycle(t, stack.Producer), "2 up to date, 0 synced")
	a.keep()
	a.awaitNextSecond()
	for key, content := range a.kept {
		damaged := bytes.Clone(content)
		damaged[len(damaged)/2] ^= 1
		a.put(key, damaged)
		break
	}
	require.Contains(t, cycle(t, stack.Producer), "1 up to date, 1 synced")
	require.Contains(t, cycle(t, stack.Producer), "2 up to date, 0 synced")
	cycle(t, stack.Consumer)
	requireInSync(t, 2)
}

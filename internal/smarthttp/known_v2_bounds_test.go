package smarthttp

import (
	"fmt"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// What is remembered of repositories ends with time, and takes bounded memory.
func TestKnownRepositoriesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var known knownV2
		repo := func(n int) *url.URL { return &url.URL{Path: fmt.Sprintf("/group/%d.git", n)} }
		require.False(t, known.has(repo(0)))
		for n := range maxKnown {
			known.add(repo(n))
		}
		known.add(repo(maxKnown))
		require.False(t, known.has(repo(maxKnown)), "there is no room")
		require.True(t, known.has(repo(0)))
		known.remove(repo(0))
		require.False(t, known.has(repo(0)))
		known.add(repo(maxKnown))
		require.True(t, known.has(repo(maxKnown)))

		time.Sleep(knownFor - time.Nanosecond)
		require.True(t, known.has(repo(1)))
		time.Sleep(time.Nanosecond)
		require.False(t, known.has(repo(1)))
		known.add(repo(maxKnown + 1))
		require.True(t, known.has(repo(maxKnown+1)), "those whose time is up make room")
		require.Len(t, known.until, 1)
	})
}

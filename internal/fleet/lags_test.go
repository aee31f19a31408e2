package fleet

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func names(lags []Lag) (all []string) {
	for _, lag := range lags {
		all = append(all, lag.Destination)
	}
	return all
}

func TestLagsAreFoundAndTakenAway(t *testing.T) {
	t.Parallel()
	var l Lags
	for i, name := range []string{"c", "a", "b"} {
		l.Add(Lag{Destination: name, Since: at(10 + i)})
	}
	l.Add(Lag{Destination: "bucket", Kind: "K", Failing: at(1)})
	require.Equal(t, []string{"a", "b", "bucket", "c"}, names(l.List))
	require.Equal(t, at(10), l.Oldest, "what is not known to be behind has none")
	found, ok := l.Find("b")
	require.True(t, ok)
	require.Equal(t, at(12), found.Since)
	_, ok = l.Find("bb")
	require.False(t, ok)
	c, _ := l.Find("c")
	l.Remove(c)
	require.Equal(t, []string{"a", "b", "bucket"}, names(l.List))
	require.Equal(t, at(11), l.Oldest)
	require.Zero(t, l.MoreBehind+l.MoreFailing)
}

// However many lag, and however long their names are, there is a bound; failures come before what is only behind, and all are counted.
func TestLagsAreBounded(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		name   string
		listed int
	}{"many": {"g/p@b", 1000}, "long ones": {"g/" + strings.Repeat("<", 500), 65}} {
		var l Lags
		var all []Lag
		for i := range 2000 {
			lag := Lag{Destination: fmt.Sprintf("%s%04d", tt.name, i), Since: at(i % 50)}
			all = append(all, lag)
			l.Add(lag)
		}
		require.InDelta(t, tt.listed, len(l.List), 5, what)
		require.Equal(t, 2000, len(l.List)+l.MoreBehind, what)
		text, err := json.Marshal(l)
		require.NoError(t, err)
		require.Less(t, len(text), maxLagsSize+300, what)

		var received Lags
		require.NoError(t, json.Unmarshal(text, &received))
		for i := range 10 { // they go on to fail
			received.Remove(all[1990+i])
			failed := all[1990+i]
			failed.Kind = "K"
			received.Add(failed)
			_, ok := received.Find(failed.Destination)
			require.True(t, ok, what)
		}
		require.Equal(t, 2000, len(received.List)+received.MoreBehind, what)
		require.Zero(t, received.MoreFailing, what)
		text, err = json.Marshal(received)
		require.NoError(t, err)
		require.Less(t, len(text), maxLagsSize+300, "%s, also of a list that was received", what)

		for _, lag := range all[:1990] {
			received.Remove(lag)
		}
		require.Equal(t, names(all[1990:]), names(received.List), what)
		require.Zero(t, received.MoreBehind, what)
	}
}

func TestFailuresWithoutRoomAreCounted(t *testing.T) {
	t.Parallel()
	var l Lags
	for i := range 1500 {
		l.Add(Lag{Destination: fmt.Sprintf("g/p@b%04d", i), Kind: "K"})
	}
	require.Equal(t, 1500, len(l.List)+l.MoreFailing)
	l.Add(Lag{Destination: "a/first@b"})
	require.Equal(t, 1, l.MoreBehind, "it does not take the place of one that fails")
	l.Remove(Lag{Destination: "g/p@b1499", Kind: "K"})
	require.Equal(t, 1499, len(l.List)+l.MoreFailing)
}

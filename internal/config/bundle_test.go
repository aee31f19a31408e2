package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The hash becomes a part of a URL.
func TestPreviousBundle(t *testing.T) {
	t.Parallel()
	const server = "GRAPHQL_SERVER=https://graphql.example.com"
	b, err := LoadPreviousBundle(nil)
	require.NoError(t, err, "there is nothing to compare with")
	require.Equal(t, PreviousBundle{Saas: "saas-git-partition-sync-producer"}, b)
	for _, sha := range []string{"0aF", strings.Repeat("a", 128)} {
		b, err = LoadPreviousBundle([]string{"PREVIOUS_BUNDLE_SHA=" + sha, server})
		require.NoError(t, err)
		require.Equal(t, sha, b.SHA)
	}
	for _, sha := range []string{strings.Repeat("a", 129), "../a", "a/b", "a?b", "a%2fb", "größe"} {
		_, err = LoadPreviousBundle([]string{"PREVIOUS_BUNDLE_SHA=" + sha, server})
		require.ErrorContains(t, err, "PREVIOUS_BUNDLE_SHA is not the hash of a bundle", sha)
	}
	_, err = LoadPreviousBundle([]string{"PREVIOUS_BUNDLE_SHA=0af"})
	require.ErrorContains(t, err, "PREVIOUS_BUNDLE_SHA is set, but not the GRAPHQL_SERVER that has the bundle")
}

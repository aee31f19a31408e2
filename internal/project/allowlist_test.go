package project

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAllowlist(t *testing.T) {
	router := Branch{Group: "mirror/platform", Name: "router", Branch: "main"}
	for list, want := range map[string]bool{
		"":                              true,
		"mirror/platform/router":        true,
		"mirror/platform/*":             true,
		"mirror/*":                      true,
		"web/*, mirror/platform/router": true,
		"mirror/plat/*":                 false,
		"mirror/platform/rout":          false,
		"mirror/platform/router2":       false,
		"platform/router":               false,
		"web/*":                         false,
	} {
		l, err := ParseAllowlist(list)
		require.NoError(t, err)
		require.Equal(t, want, l.Allows(router), "%q", list)
	}
	for _, bad := range []string{"*", "/*", "mirror", "mir*", "mirror/*/router", "mirror/**"} {
		_, err := ParseAllowlist(bad)
		require.ErrorContains(t, err, "neither a project", "%q", bad)
	}
}

package project

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAllowlist(t *testing.T) {
	router := Branch{Group: "mirror/platform", Name: "router", Branch: "main"}
	for list, want := range map[string]bool{
		"mirror/platform/router":        true,
		"mirror/platform/*":             true,
		"mirror/*":                      true,
		"web/*, mirror/platform/router": true,
		"mirror/plat/*":                 false,
		"mirror/platform/rout":          false,
		"mirror/platform/router2":       false,
		"platform/router":               false,
		"web/*":                         false,
		"Mirror/Platform/Router":        true,
		"MIRROR/*":                      true,
	} {
		l, err := ParseAllowlist(list)
		require.NoError(t, err)
		require.Equal(t, want, l.Allows(router), "%q", list)
		require.Equal(t, want, l.Allows(Branch{Group: "Mirror/PLATFORM", Name: "Router", Branch: "main"}), "%q in another spelling", list)
	}
	require.True(t, AllowAll().Allows(router))
	require.False(t, Allowlist{}.Allows(router), "nobody has said what is allowed")
	for _, none := range []string{"", " ", ",\n"} {
		_, err := ParseAllowlist(none)
		require.ErrorContains(t, err, "no project", "%q", none)
	}
	for _, bad := range []string{"*", "/*", "mirror", "mir*", "mirror/*/router", "mirror/**", "/mirror/app", "mirror/*/", "mirror/a=", "https://mirror/app"} {
		_, err := ParseAllowlist(bad)
		require.ErrorContains(t, err, "neither a project", "%q", bad)
	}
}

package project

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Case does not count in a project's path, and counts in a branch's name.
func TestIdentity(t *testing.T) {
	router := Branch{Group: "mirror/platform", Name: "router", Branch: "Main"}
	require.Equal(t, router, Branch{Group: "Mirror/PLATFORM", Name: "Router", Branch: "Main"}.Identity())
	for _, other := range []Branch{
		{Group: "mirror/platform", Name: "router", Branch: "main"},
		{Group: "mirror/platform", Name: "routers", Branch: "Main"},
		{Group: "mirror", Name: "router", Branch: "Main"},
	} {
		require.NotEqual(t, router.Identity(), other.Identity())
	}
}

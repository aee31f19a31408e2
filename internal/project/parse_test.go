package project

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseBranch(t *testing.T) {
	for _, b := range []Branch{
		{Group: "mirror/platform", Name: "router", Branch: "main"},
		{Group: "mirror", Name: "router", Branch: "feature/a@b"},
	} {
		got, err := ParseBranch(b.String())
		require.NoError(t, err)
		require.Equal(t, b, got)
	}
	for _, s := range []string{"", "router", "mirror/router", "router@main", "@main", "mirror/@main", "mirror/router@", "mirror/ro uter@main", "mirror/router@a b"} {
		_, err := ParseBranch(s)
		require.ErrorContains(t, err, "is not a branch (group/name@branch)", "%q", s)
	}
}

package lfs

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// docs/format.md shows a list and a key: what the two sides agree on, whatever release each of them is.
func TestGolden(t *testing.T) {
	page, err := os.ReadFile("../../docs/format.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(page), "```lfs\n")
	require.True(t, found)
	text, _, found := strings.Cut(rest, "```")
	require.True(t, found)
	list, err := ParseList([]byte(text))
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, []bool{false, true}, []bool{list[0].Missing, list[1].Missing})
	require.Equal(t, text, string(list.Encode()))

	key, err := Key(project.Branch{Group: "enclave/platform", Name: "router"}, list[0].OID, list[0].Segments())
	require.NoError(t, err)
	require.Contains(t, string(page), "\n    "+key+"\n")
}

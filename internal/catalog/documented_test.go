package catalog

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The example in docs/format.md is a catalog, to the byte but for white space.
func TestDocumentedCatalog(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../docs/format.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(document), "\n## Catalog\n")
	require.True(t, found)
	_, section, _ = strings.Cut(section, "```json\n")
	example, _, found := strings.Cut(section, "\n```")
	require.True(t, found)

	c, err := parse(zipped(t, example))
	require.NoError(t, err)
	require.Len(t, c.Syncs, 2)
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, []byte(example)))
	require.Equal(t, compact.String(), plain(t, c))
}

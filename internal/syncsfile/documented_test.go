package syncsfile

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The files of syncs that documents show are such files, and what they name is valid.
func TestDocumentedFiles(t *testing.T) {
	t.Parallel()
	block := regexp.MustCompile("(?s)```yaml\n([^`]*?syncs:.*?)```")
	files := 0
	for _, document := range []string{"../../README.md", "../../docs/configuration.md", "../../docs/operations.md"} {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		for _, match := range block.FindAllSubmatch(text, -1) {
			syncs, err := Parse(match[1])
			require.NoError(t, err, document)
			require.NotEmpty(t, syncs, document)
			for _, s := range syncs {
				require.NoError(t, s.Validate(), document)
			}
			files++
		}
	}
	require.Equal(t, 3, files)
}

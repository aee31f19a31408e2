package foreign_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// elsewhere is how foreign words would be cut or cleaned without this package: by a verb's precision, or by hand.
var elsewhere = regexp.MustCompile(`%\.[0-9*]+[qsv]|strings\.ToValidUTF8|unicode\.Is(Print|Graphic|Control)\b|\.Redacted\(\)`)

// The configuration is the operator's own words, which are refused and not cleaned.
var own = "../config/"

func TestNothingElseCleansOrCuts(t *testing.T) {
	read := 0
	for _, root := range []string{"../../activities", "../../graphql", "../../workflows", "../../worker", "../../starter", ".."} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && (path == "../foreign" || path == "../testserver"):
				return fs.SkipDir
			case entry.IsDir(), filepath.Ext(path) != ".go", strings.HasSuffix(path, "_test.go"), strings.HasPrefix(path, own):
				return nil
			}
			text, err := os.ReadFile(path)
			read++
			require.Empty(t, elsewhere.FindAllString(string(text), -1), "%s: package foreign does that", path)
			return err
		})
		require.NoError(t, err)
	}
	require.Greater(t, read, 100)
}

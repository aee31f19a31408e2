package workflows

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// A server refuses a summary that is too long, and the workflow would be stuck.
func TestClip(t *testing.T) {
	require.Equal(t, "short", summaryText("short"))
	require.Equal(t, `\!\[x\](http\://evil)`, summaryText("![x](http://evil)"))
	whole := strings.Repeat("x", maxSummary)
	require.Equal(t, whole, summaryText(whole))
	for _, long := range []string{whole + "x", strings.Repeat("ü", maxSummary), "x" + strings.Repeat("ü", maxSummary)} {
		clipped := summaryText(long)
		require.LessOrEqual(t, len(clipped), maxSummary)
		require.True(t, utf8.ValidString(clipped))
		require.True(t, strings.HasSuffix(clipped, "..."))
	}
}

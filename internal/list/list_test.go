package list_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/list"
)

func TestWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":              nil,
		" ,\n\t,":       nil,
		"a":             {"1 a"},
		"a,b c\td,,e":   {"1 a", "1 b", "1 c", "1 d", "1 e"},
		"a\r\n\r\nb\n":  {"1 a", "3 b"},
		"a\u00a0b":      {"1 a", "1 b"},
		"# none":        nil,
		"a # b\nc #d":   {"1 a", "2 c"},
		"a#b":           {"1 a#b"},
		"a,#b,c\nd":     {"1 a", "2 d"},
		" \t# a\n b":    {"2 b"},
		"untrusted a":   {"1 untrusted", "1 a"},
		"k1,k2,k3,#,k4": {"1 k1", "1 k2", "1 k3"},
		"untrusted comment: minisign public key A1\nk1\nuntrusted comment: of b\n k2": {"2 k1", "4 k2"},
	} {
		var got []string
		for line, word := range list.Words(text) {
			got = append(got, fmt.Sprint(line, " ", word))
		}
		require.Equal(t, want, got, "%q", text)
	}
	for range list.Words("a b") {
		break // ends the iteration
	}
}

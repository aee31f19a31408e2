package archive_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bundle"
	"github.com/app-sre/git-partition-sync/internal/object"
)

// format is docs/format.md, which shows an object that was made before today's code.
func format(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/format.md")
	require.NoError(t, err)
	return string(text)
}

// between returns what stands between two marks.
func between(t *testing.T, text, from, to string) string {
	t.Helper()
	_, text, found := strings.Cut(text, from)
	require.True(t, found, from)
	text, _, found = strings.Cut(text, to)
	require.True(t, found, to)
	return text
}

// The bytes of an object are what the two sides agree on, whatever release each of them is: an object of
// before is read, and one of today is what a release of before would have written.
func TestGolden(t *testing.T) {
	key := strings.TrimSpace(between(t, format(t), "as `make demo` wrote it:", "To read one:"))
	manifest := between(t, format(t), "```json\n", "```")
	header := between(t, format(t), "```text\n", "```")

	id, err := object.ParseKey(key)
	require.NoError(t, err)
	again, err := id.Key()
	require.NoError(t, err)
	require.Equal(t, key, again)

	m, err := archive.ParseManifest([]byte(manifest))
	require.NoError(t, err)
	require.NoError(t, m.CheckID(id))
	text, err := m.Encode()
	require.NoError(t, err)
	require.Equal(t, manifest, string(text))

	text, err = bundle.EncodeHeader(id)
	require.NoError(t, err)
	require.Equal(t, header, string(text))

	var tar bytes.Buffer
	pack := strings.Repeat("x", int(m.Size)-len(header))
	require.NoError(t, archive.WriteHead(&tar, []byte(manifest), []byte("signature"), nil, nil))
	tar.WriteString(header + pack)
	tar.Write(make([]byte, 512-tar.Len()%512))
	sum := sha256.Sum256(tar.Bytes())
	require.Equal(t, "2f67b916f0e4ef0075dbcc0e0db10e9c7bd90eada3dd421a959a7c47f406243b", hex.EncodeToString(sum[:]))
}

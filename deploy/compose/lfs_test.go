package compose_test

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// testLFS changes a large file with stock git-lfs, and gets what there is from the destination.
func testLFS(s *stack) {
	if _, err := exec.LookPath("git-lfs"); err != nil {
		s.Skip("git-lfs is not installed")
	}
	syncs := s.syncs()
	sync := syncs[slices.IndexFunc(syncs, func(sync project.Sync) bool { return sync.Source.Name == "assets" })]
	const file = "texture.bin"
	source := s.clone("SOURCE_FORGE_PORT", sync.Source)
	require.Greater(s, len(source.read(s, file)), 1<<19, "it is the file, not its pointer")

	_, err := s.git("-C", source.dir, "lfs", "install", "--local")
	require.NoError(s, err, "with its hook, by which a push brings files along")
	changed := make([]byte, 1<<21)
	_, _ = rand.Read(changed)
	require.NoError(s, os.WriteFile(filepath.Join(source.dir, file), changed, 0o600))
	_, err = s.git("-C", source.dir, "add", file)
	require.NoError(s, err)
	s.push(source, "another texture")
	s.awaitInSync(sync)
	destination := s.clone("DESTINATION_FORGE_PORT", sync.Destination)
	require.True(s, bytes.Equal(changed, destination.read(s, file)))
	_, err = s.git("-C", destination.dir, "lfs", "fetch", "--all")
	require.NoError(s, err, "the file of before is there, too")
}

func (w workTree) read(s *stack, file string) []byte {
	s.Helper()
	content, err := os.ReadFile(filepath.Join(w.dir, file))
	require.NoError(s, err)
	return content
}

package activities

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bundle"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

// maxFraming is how much larger than its pack a signed increment may be, in bytes, for branches of up to
// 150 bytes. Each 64 KiB of the pack beyond the first add the 16 bytes of an age chunk's tag.
const maxFraming = 4096

func TestFraming(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	secret, _, err := sign.Generate()
	require.NoError(t, err)
	r.producer.Signer, err = sign.ParseSigner(secret)
	require.NoError(t, err)
	r.producer.Version = "git-partition-sync/v0.0.0-20261125153300-a8954dd00000+dirty"

	for name, b := range map[string]project.Branch{
		"short names": {Group: "a", Name: "b", Branch: "c"},
		"long names":  {Group: strings.Repeat("g", 100), Name: strings.Repeat("n", 154), Branch: strings.Repeat("b", 150)},
	} {
		t.Run(name, func(t *testing.T) {
			largest := int64(0)
			for size := range int64(512) { // of every padding that a tar block can have
				for _, packSize := range []int64{1 + size, 1_000_000 + size} {
					if packSize > 512 && size%64 != 0 {
						continue
					}
					framing := r.framed(b, packSize) - packSize
					require.LessOrEqual(t, framing, maxFraming+packSize/(64<<10)*16, "pack of %d bytes", packSize)
					largest = max(largest, framing-packSize/(64<<10)*16)
				}
			}
			t.Logf("framing of at most %d bytes", largest)
		})
	}
}

// framed is the size in bytes of the object that an increment with a pack of packSize bytes becomes.
func (r *rig) framed(b project.Branch, packSize int64) int64 {
	r.Helper()
	id := object.ID{Destination: b, Commit: strings.Repeat("a", 40), Base: strings.Repeat("b", 40)}
	head, err := bundle.EncodeHeader(id)
	require.NoError(r, err)
	content := append(head, make([]byte, packSize)...)
	sum := sha256.Sum256(content)
	cloned := producing{
		Work:   UploadWork{Staged: Staged{Run: "framing"}},
		Cloned: Cloned{Bundle: archive.Bundle{ID: id, Thin: true, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}},
	}
	run, err := r.producer.Staging.Run(cloned.Work.Staged.Run)
	require.NoError(r, err)
	require.NoError(r, run.Create(bundleFile, func(f *os.File) error {
		_, err := f.Write(content)
		return err
	}))
	return must(r, r.encrypt, must(r, r.pack, cloned)).Size
}

package e2e_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/bundle"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// attacker may do everything to the bucket, has the public key and a signing key of their own, and
// has kept every object that there ever was. To cut and stretch archives it knows what is in
// them, too, which the private key alone tells.
type attacker struct {
	sides
	bucket *bucket.Bucket
	signer sign.Signer
	kept   map[string][]byte
	// commit is what they want the destinations to become, and pack brings it there.
	commit string
	pack   []byte
}

func newAttacker(t sides) *attacker {
	t.Helper()
	b, err := bucket.Open(t.Context(), bucket.Options{Name: stack.BucketName, PathStyle: true}, t.S3.ClientConfig(t.S3.Root))
	require.NoError(t, err)
	secret, _, err := sign.Generate()
	require.NoError(t, err)
	signer, err := sign.ParseSigner(secret)
	require.NoError(t, err)
	a := &attacker{sides: t, bucket: b, signer: signer, kept: map[string][]byte{}}
	a.commit = commit(t, "attack/evil@main")
	file := filepath.Join(t.TempDir(), "bundle")
	_, err = t.Source.Git(t.Context(), "attack/evil", "bundle", "create", "--quiet", file, "main")
	require.NoError(t, err)
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	_, size, err := bundle.ReadHeader(bufio.NewReader(bytes.NewReader(content)), project.Branch{Group: "attack", Name: "evil"})
	require.NoError(t, err)
	a.pack = content[size:]
	return a
}

// keep copies what is in the bucket now.
func (a *attacker) keep() {
	a.Helper()
	for _, key := range keys(a.sides, a.bucket) {
		if a.kept[key] == nil {
			a.kept[key] = get(a.sides, a.bucket, key)
		}
	}
}

func (a *attacker) put(key string, content []byte) {
	a.Helper()
	put(a.sides, a.bucket, key, content)
}

func (a *attacker) delete(keys ...string) {
	a.Helper()
	require.NoError(a, a.bucket.Delete(a.Context(), keys...))
}

// awaitNextSecond waits until what is put into the bucket is newer than all that is there, in
// the whole seconds of its listing.
func (a *attacker) awaitNextSecond() {
	a.Helper()
	var newest time.Time
	for o, err := range a.bucket.List(a.Context(), "") {
		require.NoError(a, err)
		newest = slices.MaxFunc([]time.Time{newest, o.Modified}, time.Time.Compare)
	}
	require.Eventually(a, func() bool {
		a.put("clock", nil)
		clock, err := a.bucket.Stat(a.Context(), "clock")
		return err == nil && clock.Modified.Truncate(time.Second).After(newest.Truncate(time.Second))
	}, 10*time.Second, 50*time.Millisecond)
	a.delete("clock")
}

// forge makes a flawless object for the key, but for who signs it.
func (a *attacker) forge(key string, signer sign.Signer) []byte {
	a.Helper()
	id, err := object.ParseKey(key)
	require.NoError(a, err)
	content, err := bundle.EncodeHeader(id)
	require.NoError(a, err)
	content = append(content, a.pack...)
	sum := sha256.Sum256(content)
	manifest, err := archive.Manifest{
		Bundle:    archive.Bundle{ID: id, CreatedAt: time.Now(), Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])},
		CreatedBy: "git-partition-sync",
	}.Encode()
	require.NoError(a, err)
	signature, err := signer.Sign(manifest)
	require.NoError(a, err)
	var head, text bytes.Buffer
	require.NoError(a, archive.WriteHead(&head, manifest, signature, nil, nil))
	require.NoError(a, archive.Write(&text, &head, bytes.NewReader(content)))
	return a.encrypt(&text)
}

// encrypt needs no more than the public key.
func (a *attacker) encrypt(plaintext io.Reader) []byte {
	a.Helper()
	var out bytes.Buffer
	w, err := crypt.Encrypt(&out, []age.Recipient{a.Identity.Recipient()})
	require.NoError(a, err)
	_, err = io.Copy(w, plaintext)
	require.NoError(a, err)
	require.NoError(a, w.Close())
	return out.Bytes()
}

func (a *attacker) decrypt(object []byte) []byte {
	a.Helper()
	r, err := age.Decrypt(bytes.NewReader(object), a.Identity)
	require.NoError(a, err)
	plaintext, err := io.ReadAll(r)
	require.NoError(a, err)
	return plaintext
}

// member of an archive; it may claim to be of another size than it is.
type member struct {
	name    string
	content []byte
	claims  int64
}

func (a *attacker) members(object []byte) (members []member) {
	a.Helper()
	r := tar.NewReader(bytes.NewReader(a.decrypt(object)))
	for {
		header, err := r.Next()
		if err == io.EOF {
			return members
		}
		require.NoError(a, err)
		content, err := io.ReadAll(r)
		require.NoError(a, err)
		members = append(members, member{header.Name, content, header.Size})
	}
}

// seal makes an object of members, whatever they are.
func (a *attacker) seal(members ...member) []byte {
	a.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, m := range members {
		require.NoError(a, w.WriteHeader(&tar.Header{Name: m.name, Size: m.claims, Mode: 0o644}))
		_, err := w.Write(m.content)
		require.NoError(a, err)
		if int64(len(m.content)) < m.claims {
			return a.encrypt(&out) // ends here, in spite of the claim
		}
	}
	require.NoError(a, w.Close())
	return a.encrypt(&out)
}

// incompressible is text of n bytes that does not compress.
func incompressible(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return string(b)
}

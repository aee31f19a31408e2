package activities

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

// content is what the bucket has under a key.
func (r *rig) content(key string) []byte {
	r.Helper()
	stored, err := r.producer.Bucket.Stat(r.Context(), key)
	require.NoError(r, err)
	var content bytes.Buffer
	require.NoError(r, r.producer.Bucket.Download(r.Context(), key, stored.ETag, stored.Size, &content))
	return content.Bytes()
}

// replace puts another content in the place of an object of the producer's.
func (r *rig) replace(key string, content []byte) {
	r.Helper()
	stored, err := r.producer.Bucket.Stat(r.Context(), key)
	require.NoError(r, err)
	err = r.producer.Bucket.Upload(r.Context(), key, bytes.NewReader(content), int64(len(content)), bucket.WithCreatedAt(stored.CreatedAt))
	require.NoError(r, err)
}

// made is the content of the object that the producer would upload.
func (r *rig) made(u plan.Upload) []byte {
	r.Helper()
	return r.staged(must(r, r.encrypt, must(r, r.pack, must(r, r.clone, u))).Work.Staged)
}

// staged is an encrypted object on the producer's disk.
func (r *rig) staged(s Staged) []byte {
	r.Helper()
	run, err := r.producer.Staging.Run(s.Run)
	require.NoError(r, err)
	file, err := run.Open(objectFile)
	require.NoError(r, err)
	defer file.Close()
	content, err := io.ReadAll(file)
	require.NoError(r, err)
	return content
}

// The producer derives its own secret as docs/format.md says, so that others with SIGNING_KEY can read what it does, too.
func TestOwnStanzaIsAsDocumented(t *testing.T) {
	t.Parallel()
	r := newSetRig(t, "refs/*", "refs/*")
	tip := r.commitOn("main", "one")
	u := r.produceSet()
	secret, err := r.producer.Signer.Derive("git-partition-sync-self")
	require.NoError(t, err)
	key, err := crypt.NewSelfKey(secret)
	require.NoError(t, err)
	plaintext, err := crypt.Decrypt(bytes.NewReader(r.content(u.Key)), []age.Identity{key})
	require.NoError(t, err)
	opened, err := archive.NewReader(plaintext)
	require.NoError(t, err)
	refs, err := opened.Refs()
	require.NoError(t, err)
	require.Equal(t, tip+" heads/main\n", string(refs.Encode()))
}

// What a producer cannot read for certain of what it has uploaded, it replaces by a snapshot, and says why.
func TestSetWhoseBaseIsNotKnown(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		harm func(r *rig, second plan.Upload, objects []Uploaded)
		why  string
	}{
		"lost": {func(r *rig, second plan.Upload, objects []Uploaded) {
			require.NoError(r, r.producer.Bucket.Delete(r.Context(), objects[0].Key))
		}, ""},
		"lost while it is read": {func(r *rig, second plan.Upload, objects []Uploaded) {
			r.lag.before = func(req *http.Request) {
				if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, objects[1].Key) {
					require.NoError(r, r.producer.Bucket.Delete(r.Context(), objects[1].Key))
				}
			}
		}, "does not exist"},
		"altered": {func(r *rig, second plan.Upload, objects []Uploaded) {
			content := r.content(objects[0].Key)
			content[len(content)/2] ^= 1
			r.replace(objects[0].Key, content)
		}, "corrupt age file"},
		"cut off": {func(r *rig, second plan.Upload, objects []Uploaded) {
			r.replace(objects[0].Key, r.content(objects[0].Key)[:1000])
		}, "corrupt age file"},
		"something else": {func(r *rig, second plan.Upload, objects []Uploaded) {
			r.replace(objects[1].Key, []byte("hello"))
		}, "not an age file"},
		"empty": {func(r *rig, second plan.Upload, objects []Uploaded) {
			r.replace(objects[1].Key, nil)
		}, "not an age file"},
		"of another key": {func(r *rig, second plan.Upload, objects []Uploaded) {
			r.replace(objects[1].Key, r.content(objects[0].Key))
		}, "manifest and object key disagree"},
		"forged": {func(r *rig, second plan.Upload, objects []Uploaded) {
			trusted := r.producer.Signer
			r.producer.Signer, _ = signingKey(r.T)
			r.replace(objects[1].Key, r.made(second))
			r.producer.Signer = trusted
		}, "no identity matches"},
		"forged, and encrypted to the producer": {func(r *rig, second plan.Upload, objects []Uploaded) {
			trusted := r.producer.Signer
			p := must(r, r.clone, second)
			r.producer.Signer, _ = signingKey(r.T)
			p = must(r, r.pack, p)
			r.producer.Signer = trusted
			r.replace(objects[1].Key, r.staged(must(r, r.encrypt, p).Work.Staged))
		}, "signature is not by a trusted key"},
		"unsigned": {func(r *rig, second plan.Upload, objects []Uploaded) {
			trusted := r.producer.Signer
			p := must(r, r.clone, second)
			r.producer.Signer = sign.Unsigned()
			p = must(r, r.pack, p)
			r.producer.Signer = trusted
			r.replace(objects[1].Key, r.staged(must(r, r.encrypt, p).Work.Staged))
		}, "object is not signed"},
		"before the key was changed": {func(r *rig, _ plan.Upload, _ []Uploaded) {
			r.producer.Signer, r.consumer.Verifier = signingKey(r.T)
		}, "no identity matches"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSetRig(t, "refs/*", "refs/*")
			r.refAtSource("refs/tags/v1", r.commitOn("main", random(40_000)))
			objects := []Uploaded{r.produceSet()}
			r.refAtSource("refs/tags/v2", r.commitOn("main", "two"))
			second := r.setUpload()
			objects = append(objects, r.produceSet())
			u := r.setUpload()
			require.Equal(t, objects[1].ID.Commit, u.Base)
			tt.harm(r, second, objects)
			r.refAtSource("refs/tags/v3", r.commitOn("main", "three"))
			p := must(r, r.clone, u)
			require.Empty(t, p.Bundle.Base, "a snapshot")
			require.Equal(t, "1 branch, 3 tags", p.Changes)
			if tt.why == "" {
				require.Empty(t, p.WhySnapshot)
			} else {
				require.Contains(t, p.WhySnapshot, "a snapshot in the place of an increment on "+plan.Short(u.Base))
				require.Contains(t, p.WhySnapshot, tt.why)
			}
		})
	}
}

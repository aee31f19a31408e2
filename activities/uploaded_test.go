package activities

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/crypt"
)

// manifestOf opens an object as the consumer does.
func (r *rig) manifestOf(key string, size int64) *archive.Reader {
	r.Helper()
	var content bytes.Buffer
	require.NoError(r, r.consumer.Bucket.Download(r.Context(), key, "", size, &content))
	plain, err := crypt.Decrypt(&content, r.consumer.Identities)
	require.NoError(r, err)
	opened, err := archive.NewReader(plain)
	require.NoError(r, err)
	return opened
}

// A run's result says of its object what the bucket's listing and its manifest say.
func TestUploadedDescribesTheObject(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit(random(20_000))
	first := r.produce()[0]
	r.commit("two")
	u := r.planned()
	u.BaseChain = "hash of the base"
	for _, uploaded := range []Uploaded{first, must(r, r.upload, r.encrypted(u))} {
		c := r.chains()[r.sync.Destination]
		for _, o := range c.All() {
			if o.Key == uploaded.Key {
				require.Equal(t, o.Size, uploaded.Size)
				require.Equal(t, chain.BareETag(o.ETag), chain.BareETag(uploaded.ETag))
				require.NotEmpty(t, uploaded.ETag)
				require.Equal(t, o.Modified.Unix(), uploaded.Modified.Unix())
			}
		}
		opened := r.manifestOf(uploaded.Key, uploaded.Size)
		sum := sha256.Sum256(opened.ManifestBytes)
		require.Equal(t, hex.EncodeToString(sum[:]), uploaded.ManifestSHA256)
		require.Equal(t, opened.Manifest.CreatedAt, uploaded.CreatedAt)
		require.Equal(t, r.producer.keysFingerprint(), uploaded.Keys)
		if uploaded.ID.Base == "" {
			require.Empty(t, uploaded.BaseChain, "a snapshot has no base")
		} else {
			require.Equal(t, u.BaseChain, uploaded.BaseChain)
		}
	}
}

// All keys count, and the environment, but not the order of the recipients.
func TestKeysFingerprint(t *testing.T) {
	t.Parallel()
	recipient := func() age.Recipient {
		id, err := age.GenerateX25519Identity()
		require.NoError(t, err)
		return id.Recipient()
	}
	a, b := recipient(), recipient()
	signer, _ := signingKey(t)
	of := func(change func(*Producer)) string {
		p := Producer{Recipients: []age.Recipient{a, b}, Signer: signer, Environment: "production"}
		change(&p)
		return p.keysFingerprint()
	}
	want := of(func(*Producer) {})
	require.Regexp(t, "^[0-9a-f]{64}$", want)
	require.Equal(t, want, of(func(p *Producer) { p.Recipients = []age.Recipient{b, a, b} }))
	other, _ := signingKey(t)
	for name, change := range map[string]func(*Producer){
		"fewer recipients": func(p *Producer) { p.Recipients = p.Recipients[:1] },
		"other recipient":  func(p *Producer) { p.Recipients = []age.Recipient{a, recipient()} },
		"signing key":      func(p *Producer) { p.Signer = other },
		"environment":      func(p *Producer) { p.Environment = "staging" },
	} {
		require.NotEqual(t, want, of(change), name)
	}
}

// What the catalog says of the time of the last object holds, however far this clock or the bucket's is behind it.
func TestMadeAfterTheCatalogsObject(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	u := r.planned()
	u.MadeAfter = time.Now().AddDate(0, 0, 2).UTC()
	cloned := must(r, r.clone, u)
	packed := must(r, r.pack, cloned)
	require.Equal(t, u.MadeAfter.Add(1), packed.CreatedAt)
	require.Empty(t, packed.Note)
	u.MadeAfter = time.Now().AddDate(0, 0, -2)
	cloned = must(r, r.clone, u)
	require.WithinDuration(t, time.Now(), must(r, r.pack, cloned).CreatedAt, time.Minute)
}

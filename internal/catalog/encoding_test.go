package catalog

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

const (
	commitA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	commitB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func newCatalog() Catalog {
	return Catalog{
		FormatVersion: 1, Environment: "staging", Sequence: noon.UnixMilli(), CreatedAt: noon,
		CreatedBy: "git-partition-sync v1.2.3", IntervalSeconds: 60,
		Syncs: []Sync{
			{
				Destination: project.Branch{Group: "enclave", Name: "billing", Branch: "main"},
				State:       commitA, SeenAt: noon, MovedAt: noon.Add(-time.Hour),
				Object: &Object{
					Commit: commitA, Base: commitB, Size: 4321, Modified: noon.Add(-50 * time.Minute), MadeAt: noon.Add(-51*time.Minute + 7),
					ManifestSHA256: strings.Repeat("c", 64), Chain: strings.Repeat("d", 64), Keys: strings.Repeat("e", 64),
				},
			},
			{
				Destination: project.Branch{Group: "Enclave/platform", Name: "Router", Branch: "refs/*"},
				State:       commitB, SeenAt: noon, MovedAt: noon,
				Object:  &Object{Commit: commitA, Size: 1, Modified: noon},
				Failure: &Failure{Kind: "BundleTooLarge", Since: noon},
			},
			{Destination: project.Branch{Group: "enclave/platform", Name: "router", Branch: "refs/tags/v1"}},
		},
	}
}

// side has the keys of both sides.
type side struct {
	signer     sign.Signer
	identity   *age.X25519Identity
	recipients []age.Recipient
	here       archive.Environment
}

func newSide(t testing.TB) side {
	t.Helper()
	secret, _, err := sign.Generate()
	require.NoError(t, err)
	signer, err := sign.ParseSigner(secret)
	require.NoError(t, err)
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	here, err := archive.ParseEnvironment("staging")
	require.NoError(t, err)
	return side{signer, identity, []age.Recipient{identity.Recipient()}, here}
}

func (s side) write(t testing.TB, c Catalog) []byte {
	t.Helper()
	var object bytes.Buffer
	require.NoError(t, Write(&object, c, s.recipients, s.signer))
	return object.Bytes()
}

func (s side) read(object []byte) (Catalog, error) {
	return Read(bytes.NewReader(object), []age.Identity{s.identity}, s.signer.Verifier(), s.here)
}

// sealed is an object around whatever is given for the compressed catalog.
func (s side) sealed(t testing.TB, compressed []byte) []byte {
	t.Helper()
	signature, err := s.signer.SignCatalog(compressed)
	require.NoError(t, err)
	return s.encrypted(t, func(w io.Writer) error { return archive.WriteSigned(w, fileName, compressed, signature, noon) })
}

func (s side) encrypted(t testing.TB, write func(io.Writer) error) []byte {
	t.Helper()
	var object bytes.Buffer
	w, err := crypt.Encrypt(&object, s.recipients)
	require.NoError(t, err)
	require.NoError(t, write(w))
	require.NoError(t, w.Close())
	return object.Bytes()
}

func zipped(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	_, err := io.WriteString(zip, text)
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	return b.Bytes()
}

func TestReadWhatWriteWrote(t *testing.T) {
	t.Parallel()
	s := newSide(t)
	want := newCatalog()
	unsorted := newCatalog()
	unsorted.FormatVersion = 0
	unsorted.CreatedAt = noon.In(time.FixedZone("CEST", 7200))
	unsorted.Syncs[0], unsorted.Syncs[2] = unsorted.Syncs[2], unsorted.Syncs[0]
	given := unsorted.Syncs[0].Destination
	got, err := s.read(s.write(t, unsorted))
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, given, unsorted.Syncs[0].Destination, "what was given is as it was")

	none := Catalog{Environment: "staging", Sequence: noon.UnixMilli(), CreatedAt: noon, IntervalSeconds: 1}
	got, err = s.read(s.write(t, none))
	require.NoError(t, err)
	require.Empty(t, got.Syncs)
}

// The producer reads what it has encrypted to the consumer.
func TestReadByItsProducer(t *testing.T) {
	t.Parallel()
	s := newSide(t)
	self, err := crypt.NewSelfKey(bytes.Repeat([]byte{1}, 32))
	require.NoError(t, err)
	s.recipients = self.AddTo(s.recipients)
	object := s.write(t, newCatalog())
	for _, identity := range []age.Identity{self, s.identity} {
		got, err := Read(bytes.NewReader(object), []age.Identity{identity}, s.signer.Verifier(), s.here)
		require.NoError(t, err)
		require.Equal(t, newCatalog(), got)
	}
}

func TestReadRefusesOthers(t *testing.T) {
	t.Parallel()
	s, other := newSide(t), newSide(t)
	object := s.write(t, newCatalog())
	production, err := archive.ParseEnvironment("production")
	require.NoError(t, err)
	identities := []age.Identity{s.identity}
	for name, test := range map[string]struct {
		identities []age.Identity
		verifier   sign.Verifier
		here       archive.Environment
		want       error
	}{
		"the right one":       {identities, s.signer.Verifier(), s.here, nil},
		"of any environment":  {identities, s.signer.Verifier(), archive.AnyEnvironment(), nil},
		"to another key":      {[]age.Identity{other.identity}, s.signer.Verifier(), s.here, crypt.ErrWrongKey},
		"by another producer": {identities, other.signer.Verifier(), s.here, sign.ErrBadSignature},
		"nobody is trusted":   {identities, sign.Verifier{}, s.here, sign.ErrBadSignature},
		"not verified":        {identities, sign.Unverified(), s.here, sign.ErrBadSignature},
		"another environment": {identities, s.signer.Verifier(), production, archive.ErrEnvironment},
		"no environment":      {identities, s.signer.Verifier(), archive.Environment{}, archive.ErrEnvironment},
	} {
		_, err := Read(bytes.NewReader(object), test.identities, test.verifier, test.here)
		require.ErrorIs(t, err, test.want, name)
	}
	_, err = s.read([]byte("no age file"))
	require.ErrorIs(t, err, crypt.ErrNotAge)
	_, err = s.read(object[:len(object)-1])
	require.ErrorIs(t, err, crypt.ErrCorrupt)
	_, err = s.read(append(bytes.Clone(object), 0))
	require.ErrorIs(t, err, crypt.ErrCorrupt)
	_, err = Read(iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(object))), identities, s.signer.Verifier(), s.here)
	require.ErrorIs(t, err, iotest.ErrTimeout, "the bucket's own error")
}

func TestWriteNeedsAKey(t *testing.T) {
	t.Parallel()
	s := newSide(t)
	for _, none := range []sign.Signer{{}, sign.Unsigned()} {
		require.ErrorIs(t, Write(io.Discard, newCatalog(), s.recipients, none), sign.ErrNoSigner)
	}
	require.ErrorContains(t, Write(io.Discard, newCatalog(), nil, s.signer), "no recipients")
}

package sign

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"aead.dev/minisign"
	"github.com/stretchr/testify/require"
)

func pair(t *testing.T) (Signer, Verifier) {
	t.Helper()
	secret, public, err := Generate()
	require.NoError(t, err)
	signer, err := ParseSigner(secret)
	require.NoError(t, err)
	require.Equal(t, public, signer.PublicKey())
	verifier, err := ParseVerifier(public)
	require.NoError(t, err)
	return signer, verifier
}

func signed(t testing.TB, s Signer, message []byte) []byte {
	t.Helper()
	signature, err := s.Sign(message)
	require.NoError(t, err)
	return signature
}

func TestVerify(t *testing.T) {
	signer, verifier := pair(t)
	other, otherVerifier := pair(t)
	message := []byte("manifest")
	both := Verifier{keys: append(slices.Clone(otherVerifier.keys), verifier.keys...)}
	tests := map[string]struct {
		verifier  Verifier
		message   string
		signature []byte
		err       error
	}{
		"signed":                {verifier, "manifest", signed(t, signer, message), nil},
		"one of several keys":   {both, "manifest", signed(t, signer, message), nil},
		"during a key rotation": {both, "manifest", signed(t, other, message), nil},
		"by another key":        {verifier, "manifest", signed(t, other, message), ErrBadSignature},
		"altered":               {verifier, "manifesT", signed(t, signer, message), ErrBadSignature},
		"unsigned":              {verifier, "manifest", nil, ErrUnsigned},
		"empty":                 {verifier, "manifest", []byte{}, ErrBadSignature},
		"nonsense":              {verifier, "manifest", []byte("untrusted comment: x\nRW"), ErrBadSignature},
		"nobody is trusted":     {Verifier{}, "manifest", signed(t, signer, message), ErrBadSignature},
		"nobody, and unsigned":  {Verifier{}, "manifest", nil, ErrUnsigned},
		"not verified":          {Unverified(), "manifest", nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, test.verifier.Verify([]byte(test.message), test.signature), test.err)
		})
	}
	require.True(t, Verifier{}.Verifies(), "what nobody has filled is not switched off")
	require.False(t, Unverified().Verifies())
}

// A signature of one kind of message never passes for that of the other, even where the same bytes were signed.
func TestSignaturesOfManifestsAndCatalogs(t *testing.T) {
	t.Parallel()
	signer, verifier := pair(t)
	_, other := pair(t)
	message := []byte("either")
	manifest := signed(t, signer, message)
	catalog, err := signer.SignCatalog(message)
	require.NoError(t, err)

	require.NoError(t, verifier.Verify(message, manifest))
	require.ErrorIs(t, verifier.Verify(message, catalog), ErrBadSignature)
	require.NoError(t, verifier.VerifyCatalog(message, catalog))
	for name, err := range map[string]error{
		"a manifest's":        verifier.VerifyCatalog(message, manifest),
		"altered":             verifier.VerifyCatalog([]byte("Either"), catalog),
		"none":                verifier.VerifyCatalog(message, nil),
		"by another key":      other.VerifyCatalog(message, catalog),
		"nobody is trusted":   Verifier{}.VerifyCatalog(message, catalog),
		"nobody has to sign":  Unverified().VerifyCatalog(message, catalog),
		"the comment altered": verifier.VerifyCatalog(message, bytes.Replace(manifest, []byte("trusted comment: timestamp:"), []byte("trusted comment: "+catalogComment+"\n"), 1)),
	} {
		require.ErrorIs(t, err, ErrBadSignature, name)
	}
	// The comment is signed, too: it cannot be taken from one to the other.
	m, c := strings.SplitAfter(string(manifest), "\n"), strings.SplitAfter(string(catalog), "\n")
	require.Equal(t, m[1], c[1], "the signature of the message alone is the same")
	require.ErrorIs(t, verifier.VerifyCatalog(message, []byte(m[0]+m[1]+c[2]+m[3])), ErrBadSignature)
	require.ErrorIs(t, verifier.Verify(message, []byte(c[0]+c[1]+m[2]+c[3])), ErrBadSignature)

	for _, none := range []Signer{{}, Unsigned()} {
		_, err := none.SignCatalog(message)
		require.ErrorIs(t, err, ErrNoSigner, "there is no catalog without a signature")
	}
}

func TestUnsigned(t *testing.T) {
	require.Nil(t, signed(t, Unsigned(), []byte("manifest")))
	require.Empty(t, Unsigned().PublicKey())
	require.False(t, Unsigned().Signs())
}

func TestZeroSignerRefuses(t *testing.T) {
	signature, err := Signer{}.Sign([]byte("manifest"))
	require.ErrorIs(t, err, ErrNoSigner)
	require.Nil(t, signature)
	require.Empty(t, Signer{}.PublicKey())
	require.True(t, Signer{}.Signs(), "what nobody has filled is not switched off")
}

func TestParseSigner(t *testing.T) {
	secret, _, err := Generate()
	require.NoError(t, err)
	_, key, err := minisign.GenerateKey(nil)
	require.NoError(t, err)
	encrypted, err := minisign.EncryptKey("password", key)
	require.NoError(t, err)
	for name, text := range map[string]string{"empty": "", "cut": secret[:len(secret)-9], "encrypted": string(encrypted), "other": "AGE-SECRET-KEY-1"} {
		_, err := ParseSigner(text)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "RW")
		require.NotContains(t, err.Error(), "AGE")
	}
	_, err = ParseSigner(string(encrypted))
	require.ErrorContains(t, err, "has a password")
	_, err = ParseSigner("\n" + secret + "\n\n")
	require.NoError(t, err)
}

// What is derived is the same for the same key, however it is written, and tells nothing to whom has another key or purpose.
func TestSignerVerifiesItself(t *testing.T) {
	t.Parallel()
	secret, _, err := Generate()
	require.NoError(t, err)
	signer, err := ParseSigner(secret)
	require.NoError(t, err)
	signature, err := signer.Sign([]byte("message"))
	require.NoError(t, err)
	require.NoError(t, signer.Verifier().Verify([]byte("message"), signature))
	require.ErrorIs(t, signer.Verifier().Verify([]byte("another"), signature), ErrBadSignature)
	for _, none := range []Signer{{}, Unsigned()} {
		require.ErrorIs(t, none.Verifier().Verify([]byte("message"), nil), ErrUnsigned)
		require.ErrorIs(t, none.Verifier().Verify([]byte("message"), signature), ErrBadSignature)
	}
}

func TestDerive(t *testing.T) {
	secret, _, err := Generate()
	require.NoError(t, err)
	other, _, err := Generate()
	require.NoError(t, err)
	derive := func(text, purpose string) string {
		signer, err := ParseSigner(text)
		require.NoError(t, err)
		key, err := signer.Derive(purpose)
		require.NoError(t, err)
		require.Len(t, key, 32)
		return string(key)
	}
	_, bare, _ := strings.Cut(secret, "\n")
	require.Equal(t, derive(secret, "a"), derive("\n"+bare+"\n", "a"))
	require.NotEqual(t, derive(secret, "a"), derive(secret, "b"))
	require.NotEqual(t, derive(secret, "a"), derive(other, "a"))
	for _, none := range []Signer{{}, Unsigned()} {
		_, err := none.Derive("a")
		require.ErrorIs(t, err, ErrNoSigner)
	}
}

// It is the secret that counts, and not the key's public half or number, which a thief of the bucket has.
func TestDeriveGoesByTheSecret(t *testing.T) {
	secret, _, err := Generate()
	require.NoError(t, err)
	comment, encoded, _ := strings.Cut(secret, "\n")
	key, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	require.NotEqual(t, make([]byte, 32), key[62:94])
	private := ed25519.NewKeyFromSeed(key[62:94])
	require.Equal(t, []byte(private), key[62:126])
	want, err := hkdf.Key(sha256.New, private.Seed(), nil, "a", 32)
	require.NoError(t, err)
	copy(key[54:62], "another.")
	signer, err := ParseSigner(comment + "\n" + base64.StdEncoding.EncodeToString(key))
	require.NoError(t, err)
	got, err := signer.Derive("a")
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestParseVerifier(t *testing.T) {
	_, a, err := Generate()
	require.NoError(t, err)
	_, b, err := Generate()
	require.NoError(t, err)
	for name, text := range map[string]string{
		"words":     a + " " + b,
		"commas":    a + "," + b,
		"key files": "untrusted comment: minisign public key 1\n" + a + "\nuntrusted comment: minisign public key 2\n" + b + "\n",
		"comments":  "# old\n" + a + "\n\n# new\n" + b,
	} {
		v, err := ParseVerifier(text)
		require.NoError(t, err, name)
		require.Equal(t, 2, v.Keys(), name)
	}
	for _, text := range []string{"", "# none", a[:20], a + " x", strings.ToLower(a)} {
		_, err := ParseVerifier(text)
		require.Error(t, err, "%q", text)
	}
}

func FuzzVerify(f *testing.F) {
	secret, public, err := Generate()
	require.NoError(f, err)
	signer, err := ParseSigner(secret)
	require.NoError(f, err)
	verifier, err := ParseVerifier(public)
	require.NoError(f, err)
	good := signed(f, signer, []byte("manifest"))
	f.Add([]byte("manifest"), good)
	f.Add([]byte("other"), good)
	f.Add([]byte(""), []byte{})
	f.Fuzz(func(t *testing.T, message, signature []byte) {
		if verifier.Verify(message, signature) == nil && string(message) != "manifest" {
			t.Fatalf("verified %q", message)
		}
	})
}

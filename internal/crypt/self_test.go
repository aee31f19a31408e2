package crypt_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

func newSelfKey(t require.TestingT, secret byte) *crypt.SelfKey {
	key, err := crypt.NewSelfKey(bytes.Repeat([]byte{secret}, 32))
	require.NoError(t, err)
	return key
}

func encryptTo(t require.TestingT, plaintext []byte, recipients []age.Recipient) []byte {
	var b bytes.Buffer
	w, err := crypt.Encrypt(&b, recipients)
	require.NoError(t, err)
	_, err = w.Write(plaintext)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// Each recipient opens the object as if there were no other stanza, in age itself too; and so does the key of its maker.
func TestSelfKeyIsBesideTheRecipients(t *testing.T) {
	t.Parallel()
	classic, second := newIdentity(t), newIdentity(t)
	hybrid, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	for name, test := range map[string]struct {
		recipients []age.Recipient
		identities []age.Identity
	}{
		"X25519":       {[]age.Recipient{classic.Recipient(), second.Recipient()}, []age.Identity{classic, second}},
		"post-quantum": {[]age.Recipient{hybrid.Recipient()}, []age.Identity{hybrid}},
	} {
		t.Run(name, func(t *testing.T) {
			self := newSelfKey(t, 1)
			want := random(2*chunk + 7)
			recipients := self.AddTo(test.recipients)
			require.NotEqual(t, recipients[0], test.recipients[0], "the list that was given is as it was")
			ciphertext := encryptTo(t, want, recipients)
			for _, identity := range append(test.identities, self) {
				r, err := age.Decrypt(bytes.NewReader(ciphertext), identity)
				require.NoError(t, err)
				got, err := io.ReadAll(r)
				require.NoError(t, err)
				require.Equal(t, want, got)
				got, err = decrypt(bytes.NewReader(ciphertext), identity)
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
			require.Equal(t, 1, bytes.Count(ciphertext, []byte("-> "+crypt.SelfPurpose+" ")))
			require.NotEqual(t, stanza(t, ciphertext), stanza(t, encryptTo(t, want, recipients)), "nothing in it comes again")
		})
	}
}

// stanza returns the own stanza of an age file.
func stanza(t require.TestingT, ciphertext []byte) []byte {
	_, rest, found := bytes.Cut(ciphertext, []byte("-> "+crypt.SelfPurpose+" "))
	require.True(t, found)
	stanza, _, found := bytes.Cut(rest, []byte("\n---"))
	require.True(t, found)
	return stanza
}

func TestSelfKeyOpensNothingElse(t *testing.T) {
	t.Parallel()
	identity := newIdentity(t)
	recipients := []age.Recipient{identity.Recipient()}
	ciphertext := encryptTo(t, random(100), newSelfKey(t, 1).AddTo(recipients))
	for name, key := range map[string]*crypt.SelfKey{"other": newSelfKey(t, 2), "none": {}} {
		_, err := decrypt(bytes.NewReader(ciphertext), key)
		require.ErrorIs(t, err, crypt.ErrWrongKey, name)
	}
	_, err := decrypt(bytes.NewReader(encryptTo(t, random(100), recipients)), newSelfKey(t, 1))
	require.ErrorIs(t, err, crypt.ErrWrongKey, "without the stanza")
}

// An altered stanza opens for nobody: not for its key, and not for the recipients, since the header does not authenticate.
func TestAlteredSelfStanza(t *testing.T) {
	t.Parallel()
	identity, self := newIdentity(t), newSelfKey(t, 1)
	ciphertext := encryptTo(t, random(100), self.AddTo([]age.Recipient{identity.Recipient()}))
	own := stanza(t, ciphertext)
	start := bytes.Index(ciphertext, own)
	for i := range own {
		altered := bytes.Clone(ciphertext)
		altered[start+i] ^= 1
		_, err := decrypt(bytes.NewReader(altered), self)
		require.True(t, errors.Is(err, crypt.ErrWrongKey) || errors.Is(err, crypt.ErrCorrupt), "byte %d: %v", i, err)
		_, err = decrypt(bytes.NewReader(altered), identity)
		require.ErrorIs(t, err, crypt.ErrCorrupt, "byte %d", i)
	}
}

func TestSelfKeyRefuses(t *testing.T) {
	t.Parallel()
	_, err := crypt.NewSelfKey(make([]byte, 31))
	require.ErrorContains(t, err, "a secret of 31 bytes, expected at least 32")
	recipients := []age.Recipient{newIdentity(t).Recipient()}
	_, err = crypt.Encrypt(io.Discard, (&crypt.SelfKey{}).AddTo(recipients))
	require.ErrorContains(t, err, "no key for own objects")
	_, err = crypt.Encrypt(io.Discard, newSelfKey(t, 1).AddTo(nil))
	require.ErrorContains(t, err, "no recipients", "an object is never for its maker alone")
}

// fixedKey is an identity that knows the file key already.
type fixedKey []byte

func (k fixedKey) Unwrap([]*age.Stanza) ([]byte, error) { return k, nil }

// A reader that is written from docs/format.md alone, with nothing but SIGNING_KEY, opens the object.
func TestSelfStanzaAsDocumented(t *testing.T) {
	t.Parallel()
	text, _, err := sign.Generate()
	require.NoError(t, err)
	signer, err := sign.ParseSigner(text)
	require.NoError(t, err)
	secret, err := signer.Derive(crypt.SelfPurpose)
	require.NoError(t, err)
	self, err := crypt.NewSelfKey(secret)
	require.NoError(t, err)
	ciphertext := encryptTo(t, []byte("a set"), self.AddTo([]age.Recipient{newIdentity(t).Recipient()}))

	decode := func(encoding *base64.Encoding, text string) []byte {
		b, err := encoding.DecodeString(text)
		require.NoError(t, err)
		return b
	}
	derive := func(secret, salt []byte) []byte {
		key, err := hkdf.Key(sha256.New, secret, salt, "git-partition-sync-self", 32)
		require.NoError(t, err)
		return key
	}
	_, keyText, _ := strings.Cut(text, "\n")
	seed := decode(base64.StdEncoding, keyText)[62:94]
	salt, sealed, found := strings.Cut(string(stanza(t, ciphertext)), "\n")
	require.True(t, found)
	require.Len(t, decode(base64.RawStdEncoding, salt), 16)
	aead, err := chacha20poly1305.New(derive(derive(seed, nil), decode(base64.RawStdEncoding, salt)))
	require.NoError(t, err)
	fileKey, err := aead.Open(nil, make([]byte, 12), decode(base64.RawStdEncoding, sealed), nil)
	require.NoError(t, err)
	require.Len(t, fileKey, 16)
	got, err := decrypt(bytes.NewReader(ciphertext), fixedKey(fileKey))
	require.NoError(t, err)
	require.Equal(t, "a set", string(got))
}

// FuzzSelfStanza gives the key stanzas that others have made. What is no stanza of its own is passed over.
func FuzzSelfStanza(f *testing.F) {
	self := newSelfKey(f, 1)
	stanzas, _, err := self.AddTo([]age.Recipient{newIdentity(f).Recipient()})[0].(age.RecipientWithLabels).WrapWithLabels(random(16))
	require.NoError(f, err)
	own := stanzas[len(stanzas)-1]
	f.Add(own.Args[0], own.Body)
	f.Add("", []byte{})
	f.Add(own.Args[0]+"=", own.Body)
	f.Add(own.Args[0], own.Body[1:])
	f.Fuzz(func(t *testing.T, argument string, body []byte) {
		for _, args := range [][]string{nil, {argument}, {argument, argument}} {
			fileKey, err := self.Unwrap([]*age.Stanza{{Type: crypt.SelfPurpose, Args: args, Body: body}})
			if err == nil {
				require.Len(t, args, 1)
				require.Equal(t, random(16), fileKey, "nothing else was ever sealed, here or in another of the processes that fuzz")
				continue
			}
			require.ErrorIs(t, err, age.ErrIncorrectIdentity)
			fileKey, err = self.Unwrap([]*age.Stanza{{Type: crypt.SelfPurpose, Args: args, Body: body}, own})
			require.NoError(t, err, "one that does not open hides no other")
			require.Equal(t, random(16), fileKey)
		}
	})
}

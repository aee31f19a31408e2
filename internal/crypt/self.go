package crypt

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"
)

// SelfPurpose is the type of a SelfKey's stanzas, and keeps its keys apart from whatever else is derived from the same
// secret: see sign.Signer.Derive.
const SelfPurpose = "git-partition-sync-self"

const (
	selfSecretSize = 32 // bytes, at least
	selfSaltSize   = 16 // bytes
	fileKeySize    = 16 // bytes, of age
)

// SelfKey is a symmetric key with which its holder can read the objects that it has encrypted for others. It is an
// age.Identity. The zero value encrypts to nobody and opens nothing.
type SelfKey struct{ secret []byte }

// NewSelfKey makes a key of a secret of at least 32 bytes that nobody can guess.
func NewSelfKey(secret []byte) (*SelfKey, error) {
	if len(secret) < selfSecretSize {
		return nil, fmt.Errorf("key for own objects: a secret of %d bytes, expected at least %d", len(secret), selfSecretSize)
	}
	return &SelfKey{secret: slices.Clone(secret)}, nil
}

// AddTo returns recipients for Encrypt that make k open the object as well. It goes with native and with post-quantum
// recipients, since no quantum computer is known to break it.
func (k *SelfKey) AddTo(recipients []age.Recipient) []age.Recipient {
	recipients = slices.Clone(recipients)
	if len(recipients) > 0 { // else it would be for nobody on the other side, which age refuses
		recipients[0] = besideSelf{recipients[0], k}
	}
	return recipients
}

// Unwrap implements age.Identity.
func (k *SelfKey) Unwrap(stanzas []*age.Stanza) (fileKey []byte, err error) {
	for _, stanza := range stanzas {
		if stanza.Type != SelfPurpose {
			continue
		}
		if fileKey, err = k.open(stanza); err == nil {
			return fileKey, nil
		}
	}
	return nil, age.ErrIncorrectIdentity
}

func (k *SelfKey) open(stanza *age.Stanza) ([]byte, error) {
	// The size is checked first, so that nothing of another size is ever opened.
	if len(stanza.Args) != 1 || len(stanza.Body) != fileKeySize+chacha20poly1305.Overhead {
		return nil, errors.New("not a stanza of a key for own objects")
	}
	salt, err := base64.RawStdEncoding.Strict().DecodeString(stanza.Args[0])
	if err != nil {
		return nil, err
	}
	aead, err := k.aead(salt)
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, make([]byte, chacha20poly1305.NonceSize), stanza.Body, nil)
}

func (k *SelfKey) seal(fileKey []byte) (*age.Stanza, error) {
	salt := make([]byte, selfSaltSize)
	_, _ = rand.Read(salt) // never fails
	aead, err := k.aead(salt)
	if err != nil {
		return nil, err
	}
	// Each salt makes a key that is used once, so that the nonce can be the same for all.
	body := aead.Seal(nil, make([]byte, chacha20poly1305.NonceSize), fileKey, nil)
	return &age.Stanza{Type: SelfPurpose, Args: []string{base64.RawStdEncoding.EncodeToString(salt)}, Body: body}, nil
}

func (k *SelfKey) aead(salt []byte) (cipher.AEAD, error) {
	if len(k.secret) == 0 || len(salt) != selfSaltSize {
		return nil, errors.New("no key for own objects, or no salt")
	}
	key, err := hkdf.Key(sha256.New, k.secret, salt, SelfPurpose, chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	return chacha20poly1305.New(key)
}

// besideSelf is a recipient that adds the stanza of a key for own objects to those of another recipient, and has the
// properties of that one.
type besideSelf struct {
	age.Recipient
	key *SelfKey
}

// WrapWithLabels implements age.RecipientWithLabels.
func (b besideSelf) WrapWithLabels(fileKey []byte) (stanzas []*age.Stanza, labels []string, err error) {
	if labelled, ok := b.Recipient.(age.RecipientWithLabels); ok {
		stanzas, labels, err = labelled.WrapWithLabels(fileKey)
	} else {
		stanzas, err = b.Wrap(fileKey)
	}
	if err != nil {
		return nil, nil, err
	}
	own, err := b.key.seal(fileKey)
	if err != nil {
		return nil, nil, err
	}
	return append(stanzas, own), labels, nil
}

// Package sign signs and verifies the manifests of objects, and catalogs, with minisign signatures (Ed25519,
// https://jedisct1.github.io/minisign/). age keeps objects secret, but proves nothing about the sender: anyone may
// have the public key.
package sign

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"aead.dev/minisign"

	"github.com/app-sre/git-partition-sync/internal/list"
)

var (
	// ErrUnsigned says that there is no signature.
	ErrUnsigned = errors.New("object is not signed")
	// ErrBadSignature says that none of the trusted keys made the signature, or that the signed message was altered.
	ErrBadSignature = errors.New("signature is not by a trusted key, or what it signs was altered")
	// ErrNoSigner says that nobody has decided whether manifests are signed.
	ErrNoSigner = errors.New("neither a signing key nor Unsigned is set")
)

// Signer signs manifests. The zero value refuses to: whether manifests are signed has to be said, with ParseSigner or Unsigned.
type Signer struct {
	key      *minisign.PrivateKey
	unsigned bool
}

// Unsigned leaves manifests unsigned.
func Unsigned() Signer { return Signer{unsigned: true} }

// Signs tells whether manifests are signed: it is false for Unsigned alone.
func (s Signer) Signs() bool { return !s.unsigned }

// ParseSigner reads a minisign secret key without a password, as "minisign -G -W" writes it. Its errors never quote
// the key.
func ParseSigner(text string) (Signer, error) {
	var key minisign.PrivateKey
	switch err := key.UnmarshalText([]byte(strings.TrimSpace(text))); {
	case err == nil:
		return Signer{key: &key}, nil
	case minisign.IsEncrypted([]byte(text)):
		return Signer{}, errors.New("the minisign secret key has a password: make one without, or remove it with minisign -C -W")
	default:
		return Signer{}, errors.New("not a minisign secret key")
	}
}

// Sign returns the content of a .minisig file; nil for Unsigned. The zero Signer fails with ErrNoSigner.
func (s Signer) Sign(message []byte) (signature []byte, err error) {
	switch {
	case s.unsigned:
		return nil, nil
	case s.key == nil:
		return nil, ErrNoSigner
	}
	return minisign.Sign(*s.key, message), nil
}

// A signature's trusted comment, which is signed as well, tells what it signs: that of a catalog is catalogComment,
// and that of a manifest begins with anything but ownComment. So neither passes for the other.
const (
	ownComment     = "git-partition-sync "
	catalogComment = ownComment + "catalog"
)

// SignCatalog returns the content of the .minisig file of a catalog. It fails with ErrNoSigner if there is no key.
func (s Signer) SignCatalog(message []byte) (signature []byte, err error) {
	if s.key == nil {
		return nil, ErrNoSigner
	}
	return minisign.SignWithComments(*s.key, message, catalogComment, "catalog"), nil
}

// PublicKey is the key that verifies the signatures, as one line; empty if there is none.
func (s Signer) PublicKey() string {
	if s.key == nil {
		return ""
	}
	return s.key.Public().(minisign.PublicKey).String()
}

// Verifier verifies the signatures of the signer alone. Without a key, it trusts nobody.
func (s Signer) Verifier() Verifier {
	if s.key == nil {
		return Verifier{}
	}
	return Verifier{keys: []minisign.PublicKey{s.key.Public().(minisign.PublicKey)}}
}

// secretOffset and secretSize are where a minisign secret key without a password has the secret of its Ed25519 key.
const (
	secretOffset = 62
	secretSize   = 32
)

// Derive returns 32 bytes that only the holder of the signing key can know, and others for each purpose. It fails with
// ErrNoSigner if there is no key.
func (s Signer) Derive(purpose string) ([]byte, error) {
	if s.key == nil {
		return nil, ErrNoSigner
	}
	text, err := s.key.MarshalText()
	if err != nil {
		return nil, fmt.Errorf("derive from signing key: %w", err)
	}
	_, encoded, _ := strings.Cut(string(text), "\n") // the first line is a comment
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) < secretOffset+secretSize {
		return nil, errors.New("derive from signing key: it is not of the usual form")
	}
	return hkdf.Key(sha256.New, key[secretOffset:secretOffset+secretSize], nil, purpose, 32)
}

// Verifier verifies the signatures of the keys that it trusts. The zero value trusts nobody.
type Verifier struct {
	keys       []minisign.PublicKey
	unverified bool
}

// Unverified returns a verifier that accepts every manifest, signed or not.
func Unverified() Verifier { return Verifier{unverified: true} }

// Verifies tells whether signatures are verified: it is false for Unverified alone.
func (v Verifier) Verifies() bool { return !v.unverified }

// Keys is the number of trusted keys.
func (v Verifier) Keys() int { return len(v.keys) }

// ParseVerifier reads a list (package list) of minisign public keys, such as one or more of minisign's key files.
func ParseVerifier(text string) (Verifier, error) {
	var v Verifier
	for line, word := range list.Words(text) {
		var key minisign.PublicKey
		if err := key.UnmarshalText([]byte(word)); err != nil {
			return Verifier{}, fmt.Errorf("line %d: not a minisign public key", line)
		}
		v.keys = append(v.keys, key)
	}
	if len(v.keys) == 0 {
		return Verifier{}, errors.New("no minisign public key found")
	}
	return v, nil
}

// Verify fails with ErrUnsigned or ErrBadSignature, unless one of the keys has signed the message as a manifest or v is
// Unverified.
func (v Verifier) Verify(message, signature []byte) error {
	if v.unverified {
		return nil
	}
	if signature == nil {
		return ErrUnsigned
	}
	return v.verify(message, signature, func(comment string) bool { return !strings.HasPrefix(comment, ownComment) })
}

// VerifyCatalog fails with ErrBadSignature, unless one of the keys has signed the message as a catalog: for Unverified,
// too, since a catalog is of no use without a signature.
func (v Verifier) VerifyCatalog(message, signature []byte) error {
	return v.verify(message, signature, func(comment string) bool { return comment == catalogComment })
}

// verify fails with ErrBadSignature, unless one of the keys has signed the message with such a trusted comment.
func (v Verifier) verify(message, signature []byte, accepts func(comment string) bool) error {
	var parsed minisign.Signature
	if err := parsed.UnmarshalText(signature); err != nil || !accepts(parsed.TrustedComment) {
		return ErrBadSignature
	}
	for _, key := range v.keys {
		if minisign.Verify(key, message, signature) {
			return nil
		}
	}
	return ErrBadSignature
}

// Generate makes a key pair: a secret key that ParseSigner reads, and its public key as one line.
func Generate() (secret, public string, err error) {
	pub, key, err := minisign.GenerateKey(nil)
	if err != nil {
		return "", "", fmt.Errorf("generate signing key: %w", err)
	}
	text, err := key.MarshalText()
	if err != nil {
		return "", "", fmt.Errorf("generate signing key: %w", err)
	}
	return string(text), pub.String(), nil
}

// Package keypair makes the two key pairs that both sides of the partition share: age's, which keeps objects secret, and
// minisign's, which says who made them. Each side has one half of either.
package keypair

import (
	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/sign"
)

// File is one half of a pair, as a file that a variable may point to ("@path").
type File struct {
	Name     string
	Producer bool // it is the producer's, else the consumer's
	Variable string
	Purpose  string
	Content  string // ends in a line break
}

// Generate returns the halves of two new pairs, in the same order each time.
func Generate() ([]File, error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	secret, public, err := sign.Generate()
	if err != nil {
		return nil, err
	}
	return []File{
		{"age.pub", true, "PUBLIC_KEY", "encrypts objects", identity.Recipient().String() + "\n"},
		{"signing.key", true, "SIGNING_KEY", "signs objects; secret", secret + "\n"},
		{"age.key", false, "PRIVATE_KEY", "decrypts them; secret", identity.String() + "\n"},
		{"signing.pub", false, "VERIFY_KEYS", "the signatures it trusts", public + "\n"},
	}, nil
}

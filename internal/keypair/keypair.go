// Package keypair makes the two key pairs that the sides of the partition share: age's keeps objects secret, and
// minisign's proves who made them. Each side has one half of each pair.
package keypair

import (
	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/sign"
)

// File is one half of a pair, in a file that a variable can name ("@path").
type File struct {
	Name     string
	Producer bool // the producer needs it; else the consumer
	Variable string
	Purpose  string
	Content  string // ends in a line break
}

// Generate returns the four halves of two new pairs, always in the same order.
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

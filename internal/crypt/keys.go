package crypt

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/list"
)

// ParseRecipients reads a list (package list) of public keys: native X25519 ("age1…") or post-quantum hybrid
// ("age1pq1…") ones. The two kinds do not mix, because an object that one breakable key opens is not post-quantum.
func ParseRecipients(s string) ([]age.Recipient, error) {
	var words []string
	for _, word := range list.Words(s) {
		if strings.HasPrefix(strings.ToUpper(word), "AGE-SECRET-KEY-") {
			// age would quote the key in its error.
			return nil, errors.New("parse recipients: there is a private key among the public ones")
		}
		words = append(words, word)
	}
	recipients, err := age.ParseRecipients(strings.NewReader(strings.Join(words, "\n")))
	if err != nil {
		return nil, fmt.Errorf("parse recipients: %w", err)
	}
	// age refuses keys that do not mix only when it encrypts.
	if _, err := Encrypt(io.Discard, recipients); err != nil {
		return nil, fmt.Errorf("parse recipients: %w", err)
	}
	return recipients, nil
}

// ParseIdentities reads a list (package list) of private keys as age-keygen writes them. Its errors name the line,
// but quote neither the line nor age's own error, which may quote it.
func ParseIdentities(s string) ([]age.Identity, error) {
	var identities []age.Identity
	for line, word := range list.Words(s) {
		parsed, err := age.ParseIdentities(strings.NewReader(word))
		if err != nil {
			return nil, fmt.Errorf("parse identities: line %d is not an age secret key", line)
		}
		identities = append(identities, parsed...)
	}
	if len(identities) == 0 {
		return nil, errors.New("parse identities: no age secret key found")
	}
	return identities, nil
}

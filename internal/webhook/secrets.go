// Package webhook takes the push events of GitLab and Gitea over HTTP: it verifies who sends a delivery, and tells which refs of
// which project moved. A delivery has no authority: whoever is told of a push looks at the source itself.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/list"
)

const (
	// maxSecrets bounds the secrets, each of which costs a signature of the body.
	maxSecrets = 10
	// minSecretLength is of a secret's text in bytes. One that is shorter may be guessed.
	minSecretLength = 16
	// signingPrefix begins the text of a signing key (Standard Webhooks), the rest of which is base64.
	signingPrefix = "whsec_"
)

// Secrets are what senders of deliveries know. The zero value trusts nobody.
type Secrets struct {
	tokens      [][]byte // that GitLab sends, and that Gitea signs with
	signingKeys [][]byte // that GitLab signs with
}

// ParseSecrets reads a list of secrets. One that begins with "whsec_" is a signing key of 24 to 64 bytes in base64 (Standard
// Webhooks), any other a secret token. Errors do not quote them.
func ParseSecrets(text string) (s Secrets, err error) {
	for line, word := range list.Words(text) {
		encoded, isKey := strings.CutPrefix(word, signingPrefix)
		switch {
		case isKey:
			key, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil || len(key) < 24 || len(key) > 64 {
				return Secrets{}, fmt.Errorf("line %d: what follows %s is not the base64 of 24 to 64 bytes", line, signingPrefix)
			}
			s.signingKeys = append(s.signingKeys, key)
		case len(word) < minSecretLength:
			return Secrets{}, fmt.Errorf("line %d: a secret has fewer than %d characters, and could be guessed", line, minSecretLength)
		default:
			s.tokens = append(s.tokens, []byte(word))
		}
	}
	switch n := len(s.tokens) + len(s.signingKeys); {
	case n == 0:
		return Secrets{}, errors.New("there is no secret in it")
	case n > maxSecrets:
		return Secrets{}, fmt.Errorf("%d secrets, more than %d", n, maxSecrets)
	}
	return s, nil
}

// Any tells whether there are any secrets.
func (s Secrets) Any() bool { return len(s.tokens)+len(s.signingKeys) > 0 }

// isToken tells whether a sender knows one of the tokens. How long it takes says nothing of them, not even their lengths.
func (s Secrets) isToken(given string) bool {
	found := 0
	hashed := sha256.Sum256([]byte(given))
	for _, token := range s.tokens {
		known := sha256.Sum256(token)
		found |= subtle.ConstantTimeCompare(hashed[:], known[:])
	}
	return found == 1
}

// isSignature tells whether one of the signatures is the HMAC-SHA256 of the parts with one of the keys.
func isSignature(keys, signatures [][]byte, parts ...[]byte) bool {
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		for _, part := range parts {
			mac.Write(part)
		}
		want := mac.Sum(nil)
		for _, given := range signatures {
			if hmac.Equal(given, want) {
				return true
			}
		}
	}
	return false
}

package config

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/list"
)

// keyKind is something that people set a variable for a key to by mistake.
type keyKind struct {
	description string
	variable    string // where it belongs; empty for nowhere
}

// keyKinds recognise texts by their content. The first match counts.
var keyKinds = []struct {
	pattern *regexp.Regexp
	kind    keyKind
}{
	{regexp.MustCompile(`(?i)AGE-SECRET-KEY-`), keyKind{"an age private key", "PRIVATE_KEY"}},
	{regexp.MustCompile(`(?i)AGE-PLUGIN-`), keyKind{"an identity of an age plugin: none is supported", ""}},
	{regexp.MustCompile(`(?i)\bage1pq1`), keyKind{"an age public key", "PUBLIC_KEY"}},
	{regexp.MustCompile(`(?i)\bage1[a-z0-9-]+1`), keyKind{"a recipient of an age plugin: none is supported, only age1... and age1pq1... keys", ""}},
	{regexp.MustCompile(`(?i)\bage1`), keyKind{"an age public key", "PUBLIC_KEY"}},
	{regexp.MustCompile(`BEGIN AGE ENCRYPTED FILE|age-encryption\.org/v1`), keyKind{"an encrypted age file, such as a private key with a passphrase: decrypt it first", ""}},
	{regexp.MustCompile(`\b(ssh-(ed25519|rsa|dss)|ecdsa-sha2-\w+|sk-\S+@openssh\.com) `), keyKind{"an SSH public key: none is supported", ""}},
	{regexp.MustCompile(`BEGIN \w* ?PRIVATE KEY`), keyKind{"an SSH or PEM private key: none is supported", ""}},
	{regexp.MustCompile(`-----BEGIN `), keyKind{"PEM text, such as a certificate", ""}},
	{regexp.MustCompile(`\\n`), keyKind{`a key with \n in the place of the ends of its lines`, ""}},
	{regexp.MustCompile(`^(\.{0,2}|~)/\S*$`), keyKind{"a path: for the file's content, put @ in front of it", ""}},
}

// minisignSizes tells minisign's texts by how many bytes they decode to.
var minisignSizes = map[int]keyKind{
	42:  {"a minisign public key", "VERIFY_KEYS"},
	74:  {"a minisign signature", ""},
	158: {"a minisign secret key", "SIGNING_KEY"},
}

// describeMistake says what a text that could not be parsed seems to be. It never quotes the text, which may be the
// secret of another variable. For that reason it uses err only for the variable itself.
func describeMistake(name, text string, err error) error {
	k, ok := recogniseKey(text)
	switch {
	case !ok:
		return fmt.Errorf("%s: %w", name, err)
	case k.variable == name:
		return fmt.Errorf("%s: %w: it looks like %s, but is cut off, mistyped or of a wrong kind", name, err, k.description)
	case k.variable != "":
		return fmt.Errorf("%s holds %s, which belongs into %s", name, k.description, k.variable)
	}
	return fmt.Errorf("%s holds %s", name, k.description)
}

// recogniseMinisign finds keys and signatures of minisign in a text.
func recogniseMinisign(text string) (keyKind, bool) {
	for _, word := range list.Words(unquote(text)) {
		if decoded, err := base64.StdEncoding.DecodeString(word); err == nil && strings.HasPrefix(strings.ToLower(string(decoded)), "ed") {
			if k, ok := minisignSizes[len(decoded)]; ok {
				return k, true
			}
		}
	}
	return keyKind{}, false
}

func recogniseKey(text string) (keyKind, bool) {
	if k, ok := recogniseMinisign(text); ok {
		return k, true
	}
	for _, k := range keyKinds {
		if k.pattern.MatchString(unquote(text)) {
			return k.kind, true
		}
	}
	return keyKind{}, false
}

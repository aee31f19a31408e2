package config

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/list"
)

// kind is something that is put in the place of a key.
type kind struct {
	what     string
	variable string // where it belongs; empty for nowhere
}

// The first that matches a word, or several of them, counts.
var kinds = []struct {
	pattern *regexp.Regexp
	kind    kind
}{
	{regexp.MustCompile(`(?i)AGE-SECRET-KEY-`), kind{"an age private key", "PRIVATE_KEY"}},
	{regexp.MustCompile(`(?i)AGE-PLUGIN-`), kind{"an identity of an age plugin: none is supported", ""}},
	{regexp.MustCompile(`(?i)\bage1pq1`), kind{"an age public key", "PUBLIC_KEY"}},
	{regexp.MustCompile(`(?i)\bage1[a-z0-9-]+1`), kind{"a recipient of an age plugin: none is supported, only age1... and age1pq1... keys", ""}},
	{regexp.MustCompile(`(?i)\bage1`), kind{"an age public key", "PUBLIC_KEY"}},
	{regexp.MustCompile(`BEGIN AGE ENCRYPTED FILE|age-encryption\.org/v1`), kind{"an encrypted age file, such as a private key with a passphrase: decrypt it first", ""}},
	{regexp.MustCompile(`\b(ssh-(ed25519|rsa|dss)|ecdsa-sha2-\w+|sk-\S+@openssh\.com) `), kind{"an SSH public key: none is supported", ""}},
	{regexp.MustCompile(`BEGIN \w* ?PRIVATE KEY`), kind{"an SSH or PEM private key: none is supported", ""}},
	{regexp.MustCompile(`-----BEGIN `), kind{"PEM text, such as a certificate", ""}},
	{regexp.MustCompile(`\\n`), kind{`a key with \n in the place of the ends of its lines`, ""}},
	{regexp.MustCompile(`^(\.{0,2}|~)/\S*$`), kind{"a path: for the file's content, put @ in front of it", ""}},
}

// minisignSizes tells minisign's texts by what they decode to, in bytes.
var minisignSizes = map[int]kind{
	42:  {"a minisign public key", "VERIFY_KEYS"},
	74:  {"a minisign signature", ""},
	158: {"a minisign secret key", "SIGNING_KEY"},
}

// mistaken says what a text that could not be parsed seems to be. It never quotes the text: that may be
// another variable's secret. What err says is safe only for the variable where it belongs.
func mistaken(name, text string, err error) error {
	k, ok := recognise(text)
	switch {
	case !ok:
		return fmt.Errorf("%s: %w", name, err)
	case k.variable == name:
		return fmt.Errorf("%s: %w: it looks like %s, but is cut off, mistyped or of a wrong kind", name, err, k.what)
	case k.variable != "":
		return fmt.Errorf("%s holds %s, which belongs into %s", name, k.what, k.variable)
	}
	return fmt.Errorf("%s holds %s", name, k.what)
}

// minisignText looks for what minisign has made.
func minisignText(text string) (kind, bool) {
	for _, word := range list.Words(unquote(text)) {
		if decoded, err := base64.StdEncoding.DecodeString(word); err == nil && strings.HasPrefix(strings.ToLower(string(decoded)), "ed") {
			if k, ok := minisignSizes[len(decoded)]; ok {
				return k, true
			}
		}
	}
	return kind{}, false
}

func recognise(text string) (kind, bool) {
	if k, ok := minisignText(text); ok {
		return k, true
	}
	for _, k := range kinds {
		if k.pattern.MatchString(unquote(text)) {
			return k.kind, true
		}
	}
	return kind{}, false
}

package config

import (
	"encoding/base64"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/sign"
)

// What is in the place of a key is named, and never quoted.
func TestKeysInTheWrongPlace(t *testing.T) {
	secret, public, err := sign.Generate()
	require.NoError(t, err)
	agePrivate := identity(t).String()
	agePublic := identity(t).Recipient().String()
	hybrid, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	_, secretLine, _ := strings.Cut(secret, "\n")
	signer, err := sign.ParseSigner(secret)
	require.NoError(t, err)
	signature, err := signer.Sign([]byte("manifest"))
	require.NoError(t, err)
	texts := map[string]struct{ text, what, belongs string }{
		"age private":             {agePrivate, "an age private key", "PRIVATE_KEY"},
		"age private, lower case": {strings.ToLower(agePrivate), "an age private key", "PRIVATE_KEY"},
		"age private, hybrid":     {hybrid.String(), "an age private key", "PRIVATE_KEY"},
		"age public":              {agePublic, "an age public key", "PUBLIC_KEY"},
		"age public, hybrid":      {hybrid.Recipient().String(), "an age public key", "PUBLIC_KEY"},
		"minisign secret":         {secret, "a minisign secret key", "SIGNING_KEY"},
		"minisign secret, a line": {secretLine, "a minisign secret key", "SIGNING_KEY"},
		"minisign public":         {public, "a minisign public key", "VERIFY_KEYS"},
		"minisign public, a file": {"untrusted comment: minisign public key\n" + public, "a minisign public key", "VERIFY_KEYS"},
		"minisign, as a path":     {"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7/FO3", "a minisign public key", "VERIFY_KEYS"},
		"minisign signature":      {string(signature), "a minisign signature", ""},
		"age plugin, public":      {"age1yubikey1qwertyqwertyqwerty", "a recipient of an age plugin", ""},
		"age plugin, private":     {"AGE-PLUGIN-YUBIKEY-1QWERTY", "an identity of an age plugin", ""},
		"ssh public":              {"ssh-ed25519 AAAAC3Nza x@y", "an SSH public key", ""},
		"ssh private":             {"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----", "an SSH or PEM private key", ""},
		"passphrase":              {"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----", "an encrypted age file", ""},
		"certificate":             {"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----", "PEM text", ""},
		"path":                    {"/run/secrets/key", "a path: for the file's content, put @ in front of it", ""},
		"relative path":           {"../key", "a path", ""},
	}
	for _, name := range []string{"PUBLIC_KEY", "SIGNING_KEY", "PRIVATE_KEY", "VERIFY_KEYS", "ALLOWED_DESTINATIONS"} {
		for label, tt := range texts {
			if tt.belongs == name {
				continue
			}
			err := loadWith(t, name, tt.text)
			require.ErrorContains(t, err, name+" holds "+tt.what, label)
			if tt.belongs != "" {
				require.ErrorContains(t, err, ", which belongs into "+tt.belongs, label)
			}
			for line := range strings.Lines(tt.text) {
				require.NotContains(t, err.Error(), line[len(line)/2:], label)
			}
		}
	}
}

// What only looks a little like a key of minisign's is not taken for one.
func TestNoKeysOfMinisigns(t *testing.T) {
	project := strings.Repeat("a", 27) + "/" + strings.Repeat("b", 28)
	require.NoError(t, loadWith(t, "ALLOWED_DESTINATIONS", project), "base64 of as many bytes as a public key has")
	short := base64.StdEncoding.EncodeToString([]byte("Ed25519"))
	require.ErrorContains(t, loadWith(t, "VERIFY_KEYS", short), "VERIFY_KEYS: line 1: not a minisign public key")
}

func TestKeysThatAreDamaged(t *testing.T) {
	producer, consumer := sides(t)
	for name, key := range map[string]string{"PRIVATE_KEY": consumer["PRIVATE_KEY"], "PUBLIC_KEY": producer["PUBLIC_KEY"]} {
		require.ErrorContains(t, loadWith(t, name, key[:len(key)-1]), "but is cut off, mistyped or of a wrong kind", name)
	}
	require.ErrorContains(t, loadWith(t, "SIGNING_KEY", strings.ReplaceAll(producer["SIGNING_KEY"], "\n", `\n`)), `SIGNING_KEY holds a key with \n in the place of the ends of its lines`)
}

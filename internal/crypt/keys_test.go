package crypt_test

import (
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/crypt"
)

func newIdentity(t require.TestingT) *age.X25519Identity {
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	return identity
}

func TestParseRecipients(t *testing.T) {
	a, b := newIdentity(t).Recipient(), newIdentity(t).Recipient()
	for name, separator := range map[string]string{
		"line": "\n", "CRLF": "\r\n", "comma": ",", "comma and space": ", ", "comment": " # the old, one\n# and\n\n",
	} {
		got, err := crypt.ParseRecipients(a.String() + separator + b.String() + "\n")
		require.NoError(t, err, name)
		require.Equal(t, []age.Recipient{a, b}, got, name)
	}
}

func TestParseRecipientsPostQuantum(t *testing.T) {
	identity, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	recipients, err := crypt.ParseRecipients(identity.Recipient().String())
	require.NoError(t, err)
	require.Len(t, recipients, 1)

	_, err = crypt.ParseRecipients(identity.Recipient().String() + "," + newIdentity(t).Recipient().String())
	require.ErrorContains(t, err, "can't mix")
}

func TestParseRecipientsRefuses(t *testing.T) {
	key := newIdentity(t).Recipient().String()
	for text, want := range map[string]string{
		"":                      "no recipients found",
		"# only a comment":      "no recipients found",
		key + "x":               "malformed recipient",
		key + "\nssh-ed25519 A": "unknown recipient type",
	} {
		_, err := crypt.ParseRecipients(text)
		require.ErrorContains(t, err, want, "%q", text)
	}
}

func TestParseRecipientsHidesAPrivateKey(t *testing.T) {
	secret := newIdentity(t).String()
	for _, text := range []string{secret, strings.ToLower(secret), secret[:40], newIdentity(t).Recipient().String() + "," + secret} {
		_, err := crypt.ParseRecipients(text)
		require.EqualError(t, err, "parse recipients: there is a private key among the public ones")
	}
}

func TestParseIdentities(t *testing.T) {
	a := newIdentity(t)
	b, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	got, err := crypt.ParseIdentities("# created: today\r\n" + a.String() + "\r\n\n  " + b.String())
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, a, got[0])
	got, err = crypt.ParseIdentities(a.String() + ", " + b.String() + "\n")
	require.NoError(t, err)
	require.Len(t, got, 2)
}

func TestParseIdentitiesHidesTheKey(t *testing.T) {
	secret := newIdentity(t).String()
	for name, text := range map[string]string{
		"typing error": secret[:40] + "1" + secret[41:],
		"truncated":    secret[:50],
		"lower case":   strings.ToLower(secret),
		"two in one":   secret + secret,
		"not ASCII":    secret[:40] + "ü" + secret[41:],
		"not UTF-8":    secret + "\xff",
	} {
		_, err := crypt.ParseIdentities("# comment\n" + text)
		require.EqualError(t, err, "parse identities: line 2 is not an age secret key", name)
	}
	_, err := crypt.ParseIdentities("# comment\n\n")
	require.ErrorContains(t, err, "no age secret key found")
}

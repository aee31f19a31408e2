package webhook

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const token = "a-token-of-twenty-6-chars!"

var signingKey = []byte("0123456789abcdef0123456789abcdef")

func signingText() string { return signingPrefix + base64.StdEncoding.EncodeToString(signingKey) }

func TestParseSecrets(t *testing.T) {
	s, err := ParseSecrets("# of the group\n" + token + ",\n" + signingText() + " another-token-16\n")
	require.NoError(t, err)
	require.True(t, s.Any())
	require.Equal(t, [][]byte{[]byte(token), []byte("another-token-16")}, s.tokens)
	require.Equal(t, [][]byte{signingKey}, s.signingKeys)

	for text, problem := range map[string]string{
		"":                                 "there is no secret in it",
		"# nothing":                        "there is no secret in it",
		"fifteen-chars-1":                  "line 1: a secret has fewer than 16 characters",
		token + "\nshort":                  "line 2: a secret has fewer than 16 characters",
		"whsec_short":                      "base64 of 24 to 64 bytes",
		"whsec_" + strings.Repeat("!", 44): "base64 of 24 to 64 bytes",
		"whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23)): "base64 of 24 to 64 bytes",
		"whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65)): "base64 of 24 to 64 bytes",
		strings.Repeat(token+" ", 11):                                  "11 secrets, more than 10",
	} {
		s, err := ParseSecrets(text)
		require.ErrorContains(t, err, problem, text)
		require.False(t, s.Any(), "what is not valid trusts nobody")
		for _, word := range strings.Fields(text) {
			if len(word) > 2 && word != "nothing" {
				require.NotContains(t, err.Error(), word, "no secret is in an error")
			}
		}
	}
}

// Nobody knows a secret of none, not even who says nothing.
func TestNoSecretsTrustNobody(t *testing.T) {
	var none Secrets
	require.False(t, none.Any())
	require.False(t, none.isToken(""))
	require.False(t, isSignature(none.tokens, [][]byte{{}, nil}, []byte("body")))
	s, err := ParseSecrets(token)
	require.NoError(t, err)
	for _, wrong := range []string{"", token[:25], token + "x", strings.ToUpper(token), signingText()} {
		require.False(t, s.isToken(wrong), wrong)
	}
	require.True(t, s.isToken(token))
}

package keypair_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/keypair"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

func TestHalvesArePairs(t *testing.T) {
	content, producers := map[string]string{}, map[string]bool{}
	files, err := keypair.Generate()
	require.NoError(t, err)
	for _, f := range files {
		content[f.Variable], producers[f.Name] = f.Content, f.Producer
	}
	require.Equal(t, map[string]bool{"age.pub": true, "age.key": false, "signing.key": true, "signing.pub": false}, producers,
		"a secret key is on the side that uses it")

	recipients, err := crypt.ParseRecipients(content["PUBLIC_KEY"])
	require.NoError(t, err)
	identities, err := crypt.ParseIdentities(content["PRIVATE_KEY"])
	require.NoError(t, err)
	var object bytes.Buffer
	plain, err := crypt.Encrypt(&object, recipients)
	require.NoError(t, err)
	_, err = io.WriteString(plain, "m")
	require.NoError(t, err)
	require.NoError(t, plain.Close())
	decrypted, err := crypt.Decrypt(&object, identities)
	require.NoError(t, err)
	text, err := io.ReadAll(decrypted)
	require.NoError(t, err)
	require.Equal(t, "m", string(text))

	signer, err := sign.ParseSigner(content["SIGNING_KEY"])
	require.NoError(t, err)
	verifier, err := sign.ParseVerifier(content["VERIFY_KEYS"])
	require.NoError(t, err)
	signature, err := signer.Sign([]byte("m"))
	require.NoError(t, err)
	require.NoError(t, verifier.Verify([]byte("m"), signature))
}

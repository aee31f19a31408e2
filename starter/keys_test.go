package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

func TestNewKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, newKeys(dir))
	read := func(name string) string {
		content, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return string(content)
	}
	_, err := crypt.ParseRecipients(read("age.pub"))
	require.NoError(t, err)
	_, err = crypt.ParseIdentities(read("age.key"))
	require.NoError(t, err)
	signer, err := sign.ParseSigner(read("signing.key"))
	require.NoError(t, err)
	verifier, err := sign.ParseVerifier(read("signing.pub"))
	require.NoError(t, err)
	require.NoError(t, verifier.Verify([]byte("x"), signer.Sign([]byte("x"))))
	for _, secret := range []string{"age.key", "signing.key"} {
		info, err := os.Stat(filepath.Join(dir, secret))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}

	before := read("age.key")
	require.ErrorIs(t, newKeys(dir), os.ErrExist)
	require.Equal(t, before, read("age.key"))
}

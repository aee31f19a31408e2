package crypt_test

import (
	"bytes"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/crypt"
)

func TestMayHold(t *testing.T) {
	postQuantum, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	many := make([]age.Recipient, 100)
	for i := range many {
		many[i] = postQuantum.Recipient()
	}
	for _, recipients := range [][]age.Recipient{{newIdentity(t).Recipient()}, many} {
		for _, size := range []int64{0, 1, chunk - 1, chunk, chunk + 1, 5 * chunk} {
			var b bytes.Buffer
			w, err := crypt.Encrypt(&b, recipients)
			require.NoError(t, err)
			_, err = w.Write(random(int(size)))
			require.NoError(t, err)
			require.NoError(t, w.Close())
			require.True(t, crypt.MayHold(int64(b.Len()), size), "%d bytes for %d recipients", size, len(recipients))
		}
	}
	for _, encrypted := range []int64{-1, 0, 1000, 1000 + 16, 1000 + 16 + 22, 1000 + 16 + 200<<10 + 1} {
		require.False(t, crypt.MayHold(encrypted, 1000), encrypted)
	}
}

package port_test

import (
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/port"
)

// Who asks for any port is not given one that somebody else is about to use.
func TestFree(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems give ports in a row")
	}
	reserved := map[string]bool{}
	for range 500 {
		address, err := port.Free()
		require.NoError(t, err)
		require.NotContains(t, reserved, address)
		reserved[address] = true
	}
	for range 3000 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NotContains(t, reserved, l.Addr().String())
		require.NoError(t, l.Close())
	}
	for address := range reserved {
		l, err := net.Listen("tcp", address)
		require.NoError(t, err)
		require.NoError(t, l.Close())
		break
	}
}

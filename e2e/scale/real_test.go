package scale_test

import (
	"testing"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// What cycles of many small projects take, on both sides and with real servers.
func TestReal(t *testing.T) {
	parallel(t)
	s := begin(t, *realSyncs)
	const perLook = 1 // protocol v2: ls-refs, of repositories that are known
	s.cycles().four(contract.Limits{}, perLook, s.move)
}

package contract_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	common "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// A pause's ID says which sync it is of, and of which side, whatever its memo says.
func TestPauseID(t *testing.T) {
	t.Parallel()
	b := project.Branch{Group: "Mirror", Name: "Router", Branch: "feature/é-100%"}
	id := contract.Consumer.PauseID(b)
	require.Equal(t, "pause/consume/mirror/router@feature/%C3%A9-100%25", id)
	require.Equal(t, id, contract.Consumer.PauseID(b.Identity()))
	p, ok := contract.Consumer.ReadPause(id, nil)
	require.True(t, ok)
	require.Equal(t, b.Identity().String(), p.Destination)
	_, ok = contract.Producer.ReadPause(id, nil)
	require.False(t, ok, "of the other side")
	_, ok = contract.Consumer.ReadPause(contract.Consumer.ChildID(b), nil)
	require.False(t, ok)
}

// Whoever may write to Temporal may forge a memo. A time that JSON does not have would leave all syncs without a status.
func TestForgedPause(t *testing.T) {
	b := project.Branch{Group: "group", Name: "p", Branch: "main"}
	until := time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -23*60*60))
	payload, err := converter.GetDefaultDataConverter().ToPayload(until)
	require.NoError(t, err)
	p, ok := contract.Consumer.ReadPause(contract.Consumer.PauseID(b), &common.Memo{Fields: map[string]*common.Payload{"until": payload}})
	require.True(t, ok)
	require.Zero(t, p.Until)
	p.Until = p.Until.UTC()
	_, err = json.Marshal(p)
	require.NoError(t, err)
}

package contract_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// Temporal sends workflow IDs as gRPC headers, which are ASCII.
func TestWorkflowIDs(t *testing.T) {
	b := project.Branch{Group: "mirror/platform", Name: "router", Branch: "feature/~é 100%"}
	require.Equal(t, "produce/mirror/platform/router@feature/~%C3%A9 100%25", contract.Producer.ChildID(b))
	spelled := b
	spelled.Group, spelled.Name = "Mirror/Platform", "ROUTER"
	require.Equal(t, contract.Consumer.ChildID(b), contract.Consumer.ChildID(spelled), "one lock for all spellings")
	require.Equal(t, contract.Producer.ChildID(b), contract.Producer.ChildID(spelled))
	require.Equal(t, "consume/mirror/platform/router@feature/~%C3%A9 100%25", contract.Consumer.ChildID(b))
	b.Branch = "refs/heads/release-*"
	require.Equal(t, "produce/mirror/platform/router@refs/heads/release-*", contract.Producer.ChildID(b))
}

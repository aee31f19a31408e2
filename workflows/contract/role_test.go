package contract_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

func TestRoleOf(t *testing.T) {
	tests := []struct {
		name            string
		public, private bool
		want, problem   string
	}{
		{"producer", false, true, "producer", ""},
		{"consumer", true, true, "consumer", ""},
		{"", true, false, "producer", ""},
		{"", false, true, "consumer", ""},
		{"Producer", true, false, "", `the role is "Producer", not producer or consumer`},
		{"Consumer", false, true, "", `the role is "Consumer", not producer or consumer`},
		{"", true, true, "", "Both PUBLIC_KEY and PRIVATE_KEY are set"},
		{"", false, false, "", "Set PUBLIC_KEY (producer) or PRIVATE_KEY (consumer)"},
	}
	for _, tt := range tests {
		role, err := contract.RoleOf(tt.name, tt.public, tt.private)
		require.Equal(t, tt.want, role.Name)
		if tt.problem != "" {
			require.ErrorContains(t, err, tt.problem)
		}
	}
}

package command

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

func TestPrintLFS(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, printLFS(&out, nil))
	require.Empty(t, out.String())

	all := &plan.LFSInBucket{LFSUsage: plan.LFSUsage{Objects: 12345, Size: 3_200_000_000}, MoreProjects: 7, Projects: []plan.LFSProject{
		{Project: "mirror/edge", LFSUsage: plan.LFSUsage{Objects: 12000, Size: 3_100_000_000}},
		{Project: "mirror/\x1b[31mold", LFSUsage: plan.LFSUsage{Objects: 1, Size: 512}, Unused: true},
	}}
	require.NoError(t, printLFS(&out, all))
	require.Equal(t, `
LFS OBJECTS  SIZE    PROJECT
12,000       3.1 GB  mirror/edge
1            512 B   mirror/old, which has no sync and no commits in the bucket
                     and 7 projects that have less
12,345       3.2 GB  in all
`, out.String())

	out.Reset()
	all.Incomplete = true
	require.NoError(t, printLFS(&out, all))
	require.Contains(t, out.String(), "\n12,345       3.2 GB  counted; there are more\n")
}

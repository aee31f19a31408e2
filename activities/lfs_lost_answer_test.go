package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/lfs"
)

// The answer of an attempt was lost that had noted an object as missing. The source has it by the next one: the list has it as
// any other, or no consumer would send it.
func TestLFSObjectIsNotMissingForEver(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	late := r.lacking("late")
	r.commitLFS("main", nil, late)
	p := r.nextLFS()
	require.Equal(t, 1, must(r, r.sendLFS, p).SentLFS.Missing)
	r.large("late")
	p = must(r, r.sendLFS, p)
	require.Equal(t, []int{1, 0}, []int{p.SentLFS.Sent, p.SentLFS.Missing})
	uploaded := must(r, r.upload, must(r, r.encrypt, must(r, r.pack, p)))
	require.Equal(t, lfs.NewList([]lfs.Object{late}), r.listOf(uploaded.Key))
}

package e2e_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// lfsAttacks are what somebody does to the first of two large files in the bucket who may do everything there and has the public
// key, and what the consumer says.
var lfsAttacks = []struct {
	name, kind, text string
	do               func(a *attacker, key, other string)
}{
	{"missing", "LFSObjectMissing", "not in the bucket", func(a *attacker, key, _ string) { a.delete(key) }},
	{"altered", "LFSObjectInvalid", "not the LFS object", func(a *attacker, key, _ string) {
		altered := get(a.sides, a.bucket, key)
		altered[len(altered)-1] ^= 1
		a.put(key, altered)
	}},
	{"cut", "LFSObjectInvalid", "not the LFS object", func(a *attacker, key, _ string) {
		whole := get(a.sides, a.bucket, key)
		a.put(key, whole[:len(whole)-1])
	}},
	{"swapped", "LFSObjectInvalid", "not the LFS object", func(a *attacker, key, other string) { a.put(key, get(a.sides, a.bucket, other)) }},
	{"forged", "LFSObjectInvalid", "not the LFS object", func(a *attacker, key, _ string) {
		a.put(key, a.encrypt(bytes.NewReader(make([]byte, attackedSize))))
	}},
	{"oversized", "LFSObjectInvalid", "not the LFS object", func(a *attacker, key, _ string) {
		a.put(key, a.encrypt(bytes.NewReader(make([]byte, 100*attackedSize))))
	}},
	{"no age file", "LFSObjectInvalid", "not the LFS object", func(a *attacker, key, _ string) {
		a.put(key, make([]byte, len(get(a.sides, a.bucket, key))))
	}},
}

// attackedSize is that of both files, in bytes.
const attackedSize = 100_000

// No byte of what somebody has put into the bucket in the place of a large file reaches the destination, nor do commits that need the
// file; what the error says to do mends it.
func TestAttacksOnLargeFiles(test *testing.T) {
	test.Parallel()
	t := beginLFS(test)
	a := newAttacker(t.sides)
	w := t.newProject("lfs-attacks/app")
	attacked, other := w.write("attacked.bin", attackedSize), w.write("other.bin", attackedSize)
	w.push("both")
	var pairs [][2]string
	for i := range lfsAttacks {
		pairs = append(pairs, [2]string{"lfs-attacks/app@main", lfsVictim(i)})
	}
	t.sync(pairs...)
	cycle(t.sides, stack.Producer)
	commits := keysOfCommits(t)
	var failures []broken
	for i, k := range lfsAttacks {
		k.do(a, lfsKey(t, lfsVictim(i), attacked), lfsKey(t, lfsVictim(i), other))
		failures = append(failures, broken{lfsVictim(i), k.kind, k.text})
	}

	out := failingCycle(t.sides, stack.Consumer)
	requireFailed(t.sides, stack.Consumer, consumeID, out, failures)
	require.NoFileExists(t, t.destination.LFSFile(attacked))
	for i := range lfsAttacks {
		require.Empty(t, t.destination.refs(t, branch(lfsVictim(i)).Path()))
		require.Contains(t, childFailure(t.sides, stack.Consumer, consumeID(lfsVictim(i))).Message(), attacked, "the error names what it is about")
		a.delete(lfsKey(t, lfsVictim(i), attacked))
	}
	a.delete(commits...)

	cycle(t.sides, stack.Producer)
	cycle(t.sides, stack.Consumer)
	for i := range lfsAttacks {
		t.requireSame(w, branch(lfsVictim(i)).Path(), "main")
	}
}

func lfsVictim(i int) string { return "mirror-lfs-attacks/" + string(rune('a'+i)) + "@main" }

// lfsKey names the only segment of a file in the bucket.
func lfsKey(t lfsSides, destination, oid string) string {
	t.Helper()
	key, err := lfs.Key(branch(destination), oid, 1)
	require.NoError(t, err)
	return key
}

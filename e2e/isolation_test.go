package e2e_test

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

func containsLine(text, line string) bool {
	return strings.Contains("\n"+text, "\n"+line+"\n")
}

// broken is a sync that has to fail, and how.
type broken struct{ destination, kind, text string }

// requireFailed checks that each sync failed by itself, in its child and in its parent's report.
func requireFailed(t sides, role stack.Role, id func(destination string) string, out string, all []broken) {
	t.Helper()
	for _, b := range all {
		failure := childFailure(t, role, id(b.destination))
		require.Equal(t, b.kind, failure.Type(), "%s: %s", b.destination, failure.Message())
		require.True(t, failure.NonRetryable(), b.destination)
		require.Contains(t, failure.Message(), b.text, b.destination)
		require.Contains(t, out, "failed "+b.destination+": ")
		require.Contains(t, out, "("+b.kind+", workflow "+id(b.destination)+")")
	}
}

func produceID(destination string) string { return contract.Producer.ChildID(branch(destination)) }
func consumeID(destination string) string { return contract.Consumer.ChildID(branch(destination)) }

func TestBrokenSourcesFailAlone(test *testing.T) {
	test.Parallel()
	t := begin(test)
	b := t.bucket
	put(t, b, "notes.txt", []byte("someone's notes"))
	configure(t,
		[2]string{"broken/good@main", "mirror/broken/good@main"},
		[2]string{"broken/absent@main", "mirror/broken/absent@main"},
		[2]string{"broken/good@absent", "mirror/broken/good@absent"},
		[2]string{"broken/good@main", "mirror/broken/twice@main"},
		[2]string{"broken/good@other", "mirror/broken/twice@main"},
	)
	commit(t, "broken/good@main")
	create(t, t.Destination, "mirror/broken/good")

	out := failingCycle(t, stack.Producer)
	requireFailed(t, stack.Producer, produceID, out, []broken{
		{"mirror/broken/absent@main", "ProjectNotFound", `repository not found, or the credentials may not read it`},
		{"mirror/broken/good@absent", "BranchNotFound", `source broken/good@absent: branch does not exist`},
	})
	for _, source := range []string{"broken/good@main", "broken/good@other"} {
		require.Contains(t, out, "failed mirror/broken/twice@main: 2 syncs have this destination (case does not count in group and project); this one has the source "+source)
	}
	require.Contains(t, out, `failed "notes.txt": undecodable object key "notes.txt"`)
	require.Contains(t, out, "5 checked, 0 up to date, 1 synced, 5 failed")

	out = failingCycle(t, stack.Consumer)
	require.Contains(t, out, `failed "notes.txt": undecodable object key "notes.txt"`)
	require.Contains(t, out, "1 checked, 0 up to date, 1 synced, 1 failed")
	configure(t, [2]string{"broken/good@main", "mirror/broken/good@main"})
	requireInSync(t, 1)
}

func TestBrokenDestinationsFailAlone(test *testing.T) {
	test.Parallel()
	t := begin(test)
	b := t.bucket
	var syncs [][2]string
	for _, name := range []string{"good", "absent", "frozen", "truncated", "foreign", "renamed", "other-key"} {
		syncs = append(syncs, [2]string{"hostile/good@main", "mirror/hostile/" + name + "@main"})
	}
	configure(t, syncs...)
	sha := commit(t, "hostile/good@main")
	create(t, t.Destination, "mirror/hostile/good", "mirror/hostile/frozen")
	hook(t, "mirror/hostile/frozen", "echo 'frozen until Monday' >&2; exit 1")
	cycle(t, stack.Producer)

	key := func(name string) string {
		create(t, t.Destination, "mirror/hostile/"+name)
		key, err := object.ID{Destination: branch("mirror/hostile/" + name + "@main"), Commit: sha}.Key()
		require.NoError(t, err)
		return key
	}
	good, err := object.ID{Destination: branch("mirror/hostile/good@main"), Commit: sha}.Key()
	require.NoError(t, err)
	object, whole := get(t, b, good), get(t, b, key("truncated"))
	put(t, b, key("truncated"), whole[:len(whole)-100])
	put(t, b, key("foreign"), []byte("#!/bin/sh\nrm -rf /\n"))
	put(t, b, key("renamed"), object)
	put(t, b, key("other-key"), encryptedToOther(t))

	out := failingCycle(t, stack.Consumer)
	requireFailed(t, stack.Consumer, consumeID, out, []broken{
		{"mirror/hostile/absent@main", "ProjectNotFound", "repository not found, or the credentials may not read it"},
		{"mirror/hostile/frozen@main", "PushRefused", "frozen until Monday"},
		{"mirror/hostile/truncated@main", "CorruptObject", "corrupt age file"},
		{"mirror/hostile/foreign@main", "ForeignObject", "not an age file"},
		{"mirror/hostile/renamed@main", "ObjectMismatch", `project_name is "good" in the manifest, "renamed" in the key`},
		{"mirror/hostile/other-key@main", "WrongKey", "the object is encrypted to another public key"},
	})
	require.Contains(t, out, "7 checked, 0 up to date, 1 synced, 6 failed")
	configure(t, [2]string{"hostile/good@main", "mirror/hostile/good@main"})
	requireInSync(t, 1)
}

// hook makes a destination repository run a shell script before it accepts a push.
func hook(t sides, repo, script string) {
	t.Helper()
	require.NoError(t, t.Destination.Hook(repo, "pre-receive", script))
}

func put(t testing.TB, b *bucket.Bucket, key string, content []byte) {
	t.Helper()
	require.NoError(t, b.Upload(t.Context(), key, bytes.NewReader(content), int64(len(content))))
}

func get(t testing.TB, b *bucket.Bucket, key string) []byte {
	t.Helper()
	var content bytes.Buffer
	listed, err := b.Stat(context.Background(), key)
	require.NoError(t, err)
	require.NoError(t, b.Download(context.Background(), key, listed.ETag, listed.Size, &content))
	return content.Bytes()
}

func encryptedToOther(t testing.TB) []byte {
	t.Helper()
	other, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	var out bytes.Buffer
	w, err := crypt.Encrypt(&out, []age.Recipient{other.Recipient()})
	require.NoError(t, err)
	_, err = w.Write([]byte("not for us"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// A dry run on a new side tells what would fail, with exit status 1.
func TestPlanFailsForWhatCannotBeRead(test *testing.T) {
	test.Parallel()
	t := begin(test)
	configure(t,
		[2]string{"readable/app@main", "mirror/readable/app@main"},
		[2]string{"readable/absent@main", "mirror/readable/app@absent-project"},
		[2]string{"readable/app@absent", "mirror/readable/app@absent-branch"},
	)
	commit(t, "readable/app@main")
	requirePlanFails := func(role stack.Role, lines ...string) {
		t.Helper()
		out, err := t.Starter(t.Context(), role, "plan")
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, out)
		require.Equal(t, 1, exit.ExitCode(), out)
		for _, line := range lines {
			require.Contains(t, out, line)
		}
	}
	requirePlanFails(stack.Producer,
		"would upload mirror/readable/app@main: nothing in the bucket yet: snapshot",
		"failed mirror/readable/app@absent-project: source readable/absent@main: ", "(ProjectNotFound)",
		"failed mirror/readable/app@absent-branch: source readable/app@absent: the source branch does not exist", "(BranchNotFound)")
	failingCycle(t, stack.Producer)
	requirePlanFails(stack.Consumer, "failed mirror/readable/app@main: ", "(ProjectNotFound)")

	for _, role := range stack.Roles {
		require.NoError(t, t.Workers[role].Stop())
		require.NoError(t, t.StartWorker(t.Context(), role, "GITLAB_TOKEN=expired-token"))
		requirePlanFails(role, "mirror/readable/app@main", "GitAuthFailed") // equal failures are one
		require.NoError(t, t.Workers[role].Stop())
		require.NoError(t, t.StartWorker(t.Context(), role))
	}
	configure(t, [2]string{"readable/app@main", "mirror/readable/app@main"})
	create(t, t.Destination, "mirror/readable/app")
	syncOnce(t)
	for _, role := range stack.Roles {
		starter(t, role, "plan")
	}
}

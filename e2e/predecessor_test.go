package e2e_test

import (
	"bytes"
	"context"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/testserver/oldconsumer"
	"github.com/app-sre/git-partition-sync/internal/testserver/oldproducer"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// uploadOld puts into the bucket what the predecessor's producer would.
func uploadOld(t sides, b *bucket.Bucket, source, destination string, form oldproducer.Form) oldproducer.Object {
	t.Helper()
	from := branch(source)
	o, err := oldproducer.Make(t.Context(), form, t.Source.Dir(from.Path()), from.Branch, branch(destination), t.Identity.Recipient())
	require.NoError(t, err)
	require.NoError(t, b.Upload(t.Context(), o.Key, bytes.NewReader(o.Body), int64(len(o.Body))))
	return o
}

// restarted has a side run with another environment for the rest of the test, or until it is restarted again.
func restarted(t sides, role stack.Role, environ ...string) {
	t.Helper()
	restart := func(environ ...string) {
		require.NoError(t, t.Workers[role].Stop())
		require.NoError(t, t.StartWorker(context.WithoutCancel(t.Context()), role, environ...))
	}
	restart(environ...)
	t.Cleanup(func() { restart() })
}

// moves are the names of two syncs, of the predecessor's newest and of its first form.
var moves = map[string]oldproducer.Form{"move/newest": {}, "move/first": {BranchKey: true}}

// A team moves in its own bucket, without a day on which nothing works: our consumer pushes what the predecessor's producer
// uploads, until ours takes over.
func TestMoveInTheSameBucket(test *testing.T) {
	test.Parallel()
	t := begin(test)
	b := t.bucket
	restarted(t, stack.Consumer, "VERIFY_KEYS", "READ_PREDECESSOR=true")
	var pairs [][2]string
	for name := range moves {
		source, destination := name+"@main", "mirror/"+name+"@main"
		pairs = append(pairs, [2]string{source, destination})
		commit(t, source)
		create(t, t.Destination, branch(destination).Path())
		uploadOld(t, b, source, destination, moves[name])
	}
	configure(t, pairs...)
	cycle(t, stack.Consumer)
	requireInSync(t, len(moves))
	require.Contains(t, cycle(t, stack.Consumer), "2 up to date")

	for _, pair := range pairs {
		commit(t, pair[0])
	}
	cycle(t, stack.Producer) // and none of the predecessor's objects is left
	require.Len(t, keys(t, b), len(moves))
	cycle(t, stack.Consumer)
	requireInSync(t, len(moves))
	for _, pair := range pairs {
		commit(t, pair[0])
	}
	cycle(t, stack.Producer)
	require.Len(t, keys(t, b), 2*len(moves), "increments")
	cycle(t, stack.Consumer)
	requireInSync(t, len(moves))
}

// A consumer that verifies signatures takes none of the predecessor's objects. Its cycles fail only where that matters, and say
// what to do.
func TestPredecessorsObjectsBesideSignatures(test *testing.T) {
	test.Parallel()
	t := begin(test)
	b := t.bucket
	source, destination := "move/signed@main", "mirror/move/signed@main"
	configure(t, [2]string{source, destination})
	sha := commit(t, source)
	create(t, t.Destination, branch(destination).Path())
	uploadOld(t, b, source, destination, oldproducer.Form{})
	out := failingCycle(t, stack.Consumer)
	require.Contains(t, out, "(PredecessorObject)")
	require.Contains(t, out, "the producer, when it runs, replaces it in its next cycle")

	_, err := t.Source.Git(t.Context(), branch(source).Path(), "push", "--quiet", t.Destination.Dir(branch(destination).Path()), "main")
	require.NoError(t, err)
	cycle(t, stack.Consumer)
	out, err = t.Starter(t.Context(), stack.Consumer, "status")
	require.NoError(t, err)
	require.Contains(t, out, "the predecessor has uploaded that")

	out = cycle(t, stack.Producer)
	require.Contains(t, out, "snapshot "+sha[:7])
	require.Contains(t, out, "1 objects pruned")
	require.Len(t, keys(t, b), 1)
	cycle(t, stack.Consumer)
	require.Equal(t, sha, arrived(t, destination))
}

// A team that replaces its producer first keeps the predecessor's consumer for as long as it wants: then ours reads what was written for
// that, and our producer goes back to its own objects.
func TestProducerMovesFirst(test *testing.T) {
	test.Parallel()
	t := begin(test)
	b := t.bucket
	source, destination := "first/app@main", "mirror/first/app@main"
	first := commit(t, source)
	create(t, t.Destination, branch(destination).Path())
	old := uploadOld(t, b, source, destination, oldproducer.Form{})
	configure(t, [2]string{source, destination})
	gitlab, err := url.Parse(t.Destination.URL())
	require.NoError(t, err)
	gitlab.User = url.UserPassword(t.Destination.Credentials.User, t.Destination.Credentials.Password)
	theirs := oldconsumer.Consumer{Identity: t.Identity, GitLab: gitlab.String()}

	restarted(t, stack.Producer, "SIGNING_KEY", "WRITE_PREDECESSOR=true")
	require.Contains(t, cycle(t, stack.Producer), "1 up to date")
	require.Equal(t, []string{old.Key}, keys(t, b))
	require.NoError(t, theirs.Cycle(t.Context(), contents(t, b)))
	require.Equal(t, first, arrived(t, destination))

	second := commit(t, source)
	out, err := t.Starter(t.Context(), stack.Producer, "plan")
	require.NoError(t, err)
	require.Contains(t, out, "snapshot for the predecessor")
	cycle(t, stack.Producer)
	require.Len(t, keys(t, b), 1)
	require.NoError(t, theirs.Cycle(t.Context(), contents(t, b)))
	require.Equal(t, second, arrived(t, destination))

	restarted(t, stack.Consumer, "VERIFY_KEYS", "READ_PREDECESSOR=true")
	require.Contains(t, cycle(t, stack.Consumer), "1 up to date")
	third := commit(t, source)
	cycle(t, stack.Producer)
	cycle(t, stack.Consumer)
	require.Equal(t, third, arrived(t, destination))

	restarted(t, stack.Producer)
	require.Contains(t, cycle(t, stack.Producer), "1 objects pruned")
	require.Contains(t, cycle(t, stack.Consumer), "1 up to date")
	fourth := commit(t, source)
	cycle(t, stack.Producer)
	require.Len(t, keys(t, b), 2, "an increment")
	restarted(t, stack.Consumer)
	cycle(t, stack.Consumer)
	require.Equal(t, fourth, arrived(t, destination))
}

// contents are the bucket's objects as the predecessor's consumer lists and downloads them.
func contents(t sides, b *bucket.Bucket) (objects []oldconsumer.Object) {
	t.Helper()
	for o, err := range b.List(t.Context(), "") {
		require.NoError(t, err)
		var body bytes.Buffer
		err = b.Download(t.Context(), o.Key, o.ETag, o.Size, &body)
		require.NoError(t, err)
		objects = append(objects, oldconsumer.Object{Key: o.Key, Modified: o.Modified, Body: body.Bytes()})
	}
	return objects
}

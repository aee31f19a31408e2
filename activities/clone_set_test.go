package activities

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// refAtSource makes or moves a ref.
func (r *rig) refAtSource(ref, object string) {
	r.Helper()
	r.atSource("update-ref", ref, object)
}

// Whatever happens to a set's refs, an increment leads from what they were to what they are.
func TestSetIsUploaded(t *testing.T) {
	t.Parallel()
	r := newSetRig(t, "refs/*", "refs/*")
	shared := random(40_000)
	tip := r.commitOn("main", shared)
	r.refAtSource("refs/heads/feature/one", tip)
	r.refAtSource("refs/tags/light", tip)
	r.refAtSource("refs/merge-requests/1/head", tip)
	tag := r.annotate("main", "first")
	first := r.produceSet()
	require.Contains(t, first.Summary, "snapshot of state "+plan.Short(first.ID.Commit)+": 2 branches, 2 tags, ")
	require.Equal(t, first.ID.Commit, r.restore().refs.StateID())
	before := r.refsAtSource()

	for changes, change := range map[string]func(){
		"1 tag new":        func() { r.refAtSource("refs/tags/v2", tip) },
		"1 tag moved":      func() { require.NotEqual(t, tag, r.annotate("main", "again")) },
		"1 branch moved":   func() { r.commitOn("main", "more"+shared) },
		"2 branches moved": func() { r.commitOn("main", "more"+shared); r.commitOn("feature/one", "two"+shared) },
		"1 branch new, 1 tag new": func() {
			r.refAtSource("refs/heads/x", tip)
			r.refAtSource("refs/tags/x", r.commitOn("x", "x"+shared))
		},
		"1 branch deleted, 2 tags deleted": func() {
			r.atSource("update-ref", "-d", "refs/heads/feature/one")
			r.atSource("tag", "--delete", "v1", "light")
		},
		"1 branch new, 1 branch deleted": func() { // a folder where a ref was
			r.atSource("update-ref", "-d", "refs/heads/feature/one")
			r.refAtSource("refs/heads/feature/one/more", tip)
		},
		"1 branch new, 2 tags new, 1 branch moved, 1 tag moved, 1 branch deleted, 1 tag deleted": func() {
			r.refAtSource("refs/tags/old", tag)
			r.refAtSource("refs/tags/blob", r.objectAtSource("main:file"))
			r.commitOn("main", "end"+shared)
			r.refAtSource("refs/heads/new", tip)
			r.atSource("update-ref", "-d", "refs/heads/feature/one")
			r.atSource("tag", "--delete", "light")
			r.annotate("main", "back")
		},
		"no ref changed": func() {},
	} {
		change()
		u := r.setUpload()
		u.Base, u.BaseKeys = first.ID.Commit, []string{first.Key}
		uploaded := r.complete(must(r, r.clone, u))
		require.Equal(t, first.ID.Commit, uploaded.ID.Base)
		require.Contains(t, uploaded.Summary, "increment of state "+plan.Short(first.ID.Commit)+" -> "+plan.Short(uploaded.ID.Commit)+": "+changes+", ")
		require.Less(t, uploaded.Size, int64(8_000), changes)
		require.Equal(t, uploaded.ID.Commit, r.restore().refs.StateID(), changes)
		r.setRefsAtSource(before)
		require.NoError(t, r.producer.Bucket.Delete(t.Context(), uploaded.Key))
	}
}

// objectAtSource is the object that an expression names.
func (r *rig) objectAtSource(what string) string {
	r.Helper()
	object, err := r.source.Git(r.Context(), sourceRepo, "rev-parse", what)
	require.NoError(r, err)
	return object
}

// The chain of a set grows and shrinks as that of a branch does, and restores each of its states.
func TestSetMoves(t *testing.T) {
	t.Parallel()
	r := newSetRig(t, "refs/tags/*", "refs/tags/*")
	r.refAtSource("refs/tags/v0", r.commitOn("main", random(20_000)))
	for i := range 6 {
		uploaded := r.produceSet()
		require.Equal(t, i > 0, uploaded.ID.Base != "", "an increment on what could be read")
		require.Equal(t, uploaded.ID.Commit, r.restore().refs.StateID())
		r.refAtSource(fmt.Sprint("refs/tags/v", i), r.commitOn("main", fmt.Sprint(i)))
	}
}

// A pattern's part carries over to the destination, and refs that have no name there are left out.
func TestSetOfBranches(t *testing.T) {
	t.Parallel()
	r := newSetRig(t, "refs/heads/release*", "refs/heads/upstream*")
	tip := r.commitOn("main", "one")
	r.refAtSource("refs/heads/release/1", tip)
	r.refAtSource("refs/heads/release-2", tip)
	r.refAtSource("refs/heads/release"+strings.Repeat("x", 243), tip)
	r.refAtSource("refs/tags/release", tip)
	p := must(r, r.clone, r.setUpload())
	require.Equal(t, `2 branches; 1 left out for their names, such as "refs/heads/releasexxxxxxxxxxxxxxxxxxxxxx"`, p.Changes)
}

func TestSetThatIsNotThere(t *testing.T) {
	t.Parallel()
	r := newSetRig(t, "refs/tags/*", "refs/tags/*")
	r.commitOn("main", "one")
	text := fails(r, plan.KindBranchNotFound, r.clone, r.setUpload())
	require.Contains(t, text, "source platform/router@refs/tags/*: a ref that matches refs/tags/* does not exist")
}

// Between the listing and the fetch, a ref may go away. The next attempt takes what there is then.
func TestRefVanishesWhileItIsFetched(t *testing.T) {
	t.Parallel()
	r := newSetRig(t, "refs/*", "refs/*")
	r.commitOn("main", "one")
	r.commitOn("gone", "two")
	u := r.setUpload()
	source := r.producer.Source
	r.producer.Source = vanishing{source, func() { r.atSource("branch", "-D", "gone") }}
	_, err := execute(r, r.clone, u)
	require.ErrorContains(t, err, "The source branch was rewritten at the same time.")
	r.producer.Source = source
	require.Equal(t, "1 branch", must(r, r.clone, u).Changes)
}

// Without its SIGNING_KEY a producer could not tell its own objects from others'.
func TestSetIsUploadedAsSnapshotsWithoutKey(t *testing.T) {
	t.Parallel()
	r := newSetRig(t, "refs/tags/*", "refs/tags/*")
	r.producer.Signer, r.consumer.Verifier = sign.Unsigned(), sign.Unverified()
	tip := r.commitOn("main", "one")
	for i := range 2 {
		r.refAtSource(fmt.Sprint("refs/tags/v", i), tip)
		uploaded := r.produceSet()
		require.Empty(t, uploaded.ID.Base)
		require.Equal(t, i > 0, strings.Contains(uploaded.Summary, "without SIGNING_KEY"), uploaded.Summary)
	}
	r.restore()
}

// The objects of a single branch have no stanza of the producer's.
func TestOnlySetsAreEncryptedToTheProducer(t *testing.T) {
	t.Parallel()
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	p := &Producer{Recipients: []age.Recipient{id.Recipient()}}
	p.Signer, _ = signingKey(t)
	for branch, is := range map[string]bool{"main": false, "refs/tags/v1": false, "refs/tags/*": true} {
		recipients, err := p.recipients(project.Branch{Branch: branch})
		require.NoError(t, err)
		require.Equal(t, !is, reflect.DeepEqual(p.Recipients, recipients), branch)
	}
}

// vanishing is a source where something happens before each fetch.
type vanishing struct {
	SourceForge
	before func()
}

func (v vanishing) FetchPack(ctx context.Context, request smarthttp.FetchRequest) (*smarthttp.PackStream, error) {
	v.before()
	return v.SourceForge.FetchPack(ctx, request)
}

package activities

import (
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlabapi"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// newLFSRigWithoutProject is a rig whose destination project does not exist, on a forge that creates it when it is pushed to.
func newLFSRigWithoutProject(t *testing.T, options ...gitserver.Option) *pushLFSRig {
	t.Helper()
	r := &pushLFSRig{rig: newTrustedRig(t)}
	r.serveLFS("mirror/platform/other", options...)
	var err error
	r.consumer.Allow, err = project.ParseAllowlist("mirror/*")
	require.NoError(t, err)
	r.consumer.CreateProjects = true
	return r
}

// A project that does not exist has no LFS: it is created first, without commits of the source, and the push leaves nothing of
// that behind.
func TestProjectIsCreatedForLFS(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		when                gitserver.Creation
		source, destination string
	}{
		"branch, as GitLab": {gitserver.OnDiscovery, "main", "stable"},
		"branch, as Gitea":  {gitserver.OnPush, "main", "stable"},
		"set, as GitLab":    {gitserver.OnDiscovery, "refs/*", "refs/*"},
		"set, as Gitea":     {gitserver.OnPush, "refs/*", "refs/*"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newLFSRigWithoutProject(t, gitserver.WithPushToCreate(test.when))
			r.configureSet(pair(test.source, test.destination))
			objects := r.store("one", "two")
			r.commitPointers(objects...)
			u := plan.Upload{Sync: r.sync}
			if r.sync.Destination.IsSet() {
				u = r.setUpload()
			}
			r.uploadWith(u, lfs.NewList(objects))
			d := r.decrypted()
			require.NoDirExists(t, r.destination.Dir(destinationRepo))

			// Interrupted right after it was created.
			r.lfs.Switch(func(s *gitserver.LFSSwitches) { s.BatchStatus = 500 })
			_, err := execute(r.rig, r.pushLFS, d)
			require.ErrorContains(t, err, "500")
			require.Len(t, r.ownRefs(), 1)
			require.Empty(t, r.refs())
			r.lfs.Switch(func(s *gitserver.LFSSwitches) { s.BatchStatus = 0 })

			d = must(r.rig, r.pushLFS, d)
			require.Equal(t, 2, d.LFS.Sent)
			require.NoError(t, r.lfs.RefuseMissing(destinationRepo))
			pushed := must(r.rig, r.push, d)
			require.Empty(t, pushed.Warning, "nobody else has put the ref there")
			require.NotEmpty(t, r.refs())
			require.NotContains(t, r.ownRefs(), r.createdRef())
			require.Eventually(t, func() bool { // it is chosen after the answer to the push
				head, err := os.ReadFile(r.destination.Dir(destinationRepo) + "/HEAD")
				return err == nil && string(head) == "ref: "+r.branchThere()+"\n"
			}, 10*time.Second, 10*time.Millisecond)
			require.Empty(t, r.planPushes().Moves)
		})
	}
}

func (r *pushLFSRig) createdRef() string {
	d := destination{branch: r.sync.Destination}
	if d.branch.IsSet() {
		d.set = newSetRefs(d.branch)
	}
	return d.createdRef()
}

// branchThere is the full name of the destination's only branch.
func (r *pushLFSRig) branchThere() string {
	if r.sync.Destination.IsSet() {
		return "refs/heads/main"
	}
	return r.sync.Destination.Ref()
}

// Groups are created before the project, and the push says so.
func TestGroupsAreCreatedForLFS(t *testing.T) {
	t.Parallel()
	account := groupMaker
	account.Name, account.Token = "bot", "token-of-the-api"
	r := &pushLFSRig{rig: newTrustedRig(t)}
	r.serveLFS("elsewhere/app", gitserver.WithPushToCreate(gitserver.OnDiscovery), gitserver.WithGroupsAPI(account))
	base, err := url.Parse(r.destination.URL())
	require.NoError(t, err)
	r.consumer.Groups = gitlabapi.New(gitlabapi.Options{Instance: gitlab.At(base), Token: account.Token})
	r.consumer.Allow, err = project.ParseAllowlist("mirror/*")
	require.NoError(t, err)
	r.consumer.CreateProjects = true

	objects := r.store("one")
	r.commitPointers(objects...)
	r.produceWith(lfs.NewList(objects))
	require.Regexp(t, `, in the new group "mirror/platform", with 1 LFS object, 3 B$`, r.consume()[0].Summary)
	require.Equal(t, []string{"mirror", "mirror/platform"}, r.groups())
	r.requireHas(objects, true)
}

// Without CREATE_PROJECTS nothing is created for LFS objects either, nor for what is refused.
func TestNoProjectIsCreatedInVainForLFS(t *testing.T) {
	t.Parallel()
	for kind, change := range map[string]func(*Consumer){
		"ProjectNotFound": func(c *Consumer) { c.CreateProjects = false },
		"FutureObject":    func(c *Consumer) { c.Clock = func() time.Time { return time.Now().Add(-48 * time.Hour) } },
	} {
		r := newLFSRigWithoutProject(t, gitserver.WithPushToCreate(gitserver.OnDiscovery))
		objects := r.store("one")
		r.commitPointers(objects...)
		r.produceWith(lfs.NewList(objects))
		d := r.decrypted()
		change(r.consumer)
		r.failsLFS(kind, d)
		require.NoDirExists(t, r.destination.Dir(destinationRepo))
	}
}

package activities

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bundle"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/refset"
)

// newSetRig is a rig whose sync is of a set of refs.
func newSetRig(t *testing.T, source, destination string) *rig {
	t.Helper()
	r := newTrustedRig(t)
	r.configureSet(pair(source, destination))
	return r
}

// configureSet has the producer take the set as configured.
func (r *rig) configureSet(s project.Sync) {
	r.sync = s
	r.configure(s)
	r.producer.syncCache.read, r.producer.syncCache.syncs = time.Now(), map[project.Sync]bool{s: true}
}

// chain is the bucket's of the set.
func (r *rig) chain() chain.Chain {
	r.Helper()
	return r.chains()[r.sync.Destination]
}

// setUpload is what the producer plans for the set when its source has moved.
func (r *rig) setUpload() plan.Upload {
	r.Helper()
	u := plan.Upload{Sync: r.sync}
	if c := r.chain(); len(c.Objects) > 0 {
		u.SeenChain = plan.Push{Objects: c.Objects, Since: c.Newest().Modified}.ChainState()
		prefix, _ := c.ReusablePrefix()
		for _, o := range prefix {
			u.Base, u.BaseKeys = o.Commit, append(u.BaseKeys, o.Key)
		}
	}
	return u
}

// produceSet uploads the set as it is now.
func (r *rig) produceSet() Uploaded {
	r.Helper()
	return r.complete(must(r, r.clone, r.setUpload()))
}

// complete runs the steps after Clone.
func (r *rig) complete(p producing) Uploaded {
	r.Helper()
	return must(r, r.upload, must(r, r.encrypt, must(r, r.pack, p)))
}

// refsAtSource are the source's refs, each with its object.
func (r *rig) refsAtSource() map[string]string {
	r.Helper()
	out, err := r.source.Git(r.Context(), sourceRepo, "for-each-ref", "--format=%(refname) %(objectname)")
	require.NoError(r, err)
	refs := map[string]string{}
	for line := range strings.Lines(out) {
		ref, object, _ := strings.Cut(strings.TrimSpace(line), " ")
		refs[ref] = object
	}
	return refs
}

// setRefsAtSource makes the source's refs these.
func (r *rig) setRefsAtSource(refs map[string]string) {
	r.Helper()
	for ref := range r.refsAtSource() {
		r.atSource("update-ref", "-d", ref)
	}
	for ref, object := range refs {
		r.atSource("update-ref", ref, object)
	}
}

// restored is what someone has who knows nothing but the bucket's chain of a set.
type restored struct {
	*rig
	dir  string
	refs refset.List
}

// restore makes a bare repository of the chain with stock tools, and requires it to be what the source is.
func (r *rig) restore() restored {
	r.Helper()
	out := restored{rig: r, dir: r.TempDir()}
	out.git(nil, "init", "--quiet", "--bare", ".")
	for _, o := range r.chain().Objects {
		out.apply(o.Key)
	}
	var updates bytes.Buffer
	for _, ref := range out.refs {
		updates.WriteString("create " + r.sync.Source.RefFor(ref.Part) + " " + ref.Object + "\n")
	}
	out.git(&updates, "update-ref", "--stdin")
	out.git(nil, "fsck", "--strict")

	format := []string{"for-each-ref", "--format=%(objectname) %(objecttype) %(refname)"}
	want, err := r.source.Git(r.Context(), sourceRepo, append(format, r.sync.Source.RefPrefixes()[0]+"**", r.sync.Source.RefPrefixes()[len(r.sync.Source.RefPrefixes())-1]+"**")...)
	require.NoError(r, err)
	require.Equal(r, want, out.git(nil, format...))
	return out
}

// apply adds an object of the chain.
func (o *restored) apply(key string) {
	o.Helper()
	plaintext, err := crypt.Decrypt(bytes.NewReader(o.content(key)), o.consumer.Identities)
	require.NoError(o, err)
	opened, err := archive.NewReader(plaintext)
	require.NoError(o, err)
	require.NoError(o, o.consumer.Verifier.Verify(opened.ManifestBytes, opened.Signature))
	refs, err := opened.Refs()
	require.NoError(o, err)
	o.refs, err = opened.Manifest.State(o.refs, refs)
	require.NoError(o, err)
	file := filepath.Join(o.TempDir(), "bundle")
	f, err := os.Create(file)
	require.NoError(o, err)
	require.NoError(o, opened.CopyBundle(f))
	require.NoError(o, f.Close())

	f, err = os.Open(file)
	require.NoError(o, err)
	defer f.Close()
	pack := bufio.NewReader(f)
	_, err = bundle.ReadSetHeader(pack, o.sync.Destination, refs)
	require.NoError(o, err)
	o.git(pack, "index-pack", "--stdin", "--fix-thin")
}

func (o *restored) git(stdin io.Reader, args ...string) string {
	o.Helper()
	cmd := exec.CommandContext(o.Context(), "git", args...)
	cmd.Dir, cmd.Stdin = o.dir, stdin
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + o.dir, "GIT_CONFIG_NOSYSTEM=1"}
	out, err := cmd.CombinedOutput()
	require.NoError(o, err, "git %s: %s", args, out)
	return strings.TrimSpace(string(out))
}

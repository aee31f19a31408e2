package activities

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// hook installs a script at the destination; an empty one removes it.
func (r *rig) hook(name, script string) {
	r.Helper()
	if script == "" {
		require.NoError(r, os.Remove(filepath.Join(r.destination.Dir(destinationRepo), "hooks", name)))
		return
	}
	require.NoError(r, r.destination.Hook(destinationRepo, name, script))
}

// watch has the destination write down each value that its branch ever has.
func (r *rig) watch() (values func() []string) {
	r.Helper()
	log := filepath.Join(r.TempDir(), "log")
	r.hook("reference-transaction", fmt.Sprintf(`[ "$1" = committed ] && grep ' %s$' >> %s; exit 0`, r.sync.Destination.Ref(), log))
	return func() (values []string) {
		r.Helper()
		content, err := os.ReadFile(log)
		if !os.IsNotExist(err) {
			require.NoError(r, err)
		}
		for line := range strings.Lines(string(content)) {
			values = append(values, strings.Fields(line)[1])
		}
		return values
	}
}

// badTree makes a commit on top of the source's tip whose tree has one entry, as it is spelled.
func (r *rig) badTree(entry string) string {
	r.Helper()
	blob, err := r.source.Git(r.Context(), sourceRepo, "rev-parse", r.sync.Source.Branch+":file")
	require.NoError(r, err)
	var id []byte
	_, err = fmt.Sscanf(blob, "%x", &id)
	require.NoError(r, err)
	file := filepath.Join(r.TempDir(), "tree")
	require.NoError(r, os.WriteFile(file, append([]byte(entry+"\x00"), id...), 0o600))
	tree, err := r.source.Git(r.Context(), sourceRepo, "hash-object", "-t", "tree", "-w", "--literally", file)
	require.NoError(r, err)
	commit, err := r.source.Git(r.Context(), sourceRepo, "commit-tree", "-p", r.sync.Source.Branch, "-m", "bad", tree)
	require.NoError(r, err)
	r.reset(commit)
	return commit
}

// ahead brings the destination to a commit that no object carries any more: the next one builds on the commit before. The
// destination has that, too, but only as history.
func (r *rig) ahead() (commit string) {
	r.Helper()
	var before []byte
	if r.producer.keepsCatalog() {
		before = r.content(catalog.Key)
	}
	commit = r.commit("ahead")
	uploaded, _ := r.arrives(commit)
	require.NoError(r, r.producer.Bucket.Delete(r.Context(), uploaded.Key))
	if before == nil {
		return commit
	}
	r.put(catalog.Key, before) // else the producer would know that an object is missing, and upload a snapshot
	return commit
}

// failing runs the consumer's steps for the one branch that is behind, and returns the kind of the failure.
func (r *rig) failing() *temporal.ApplicationError {
	r.Helper()
	decrypted := must(r, r.decrypt, r.received())
	_, err := execute(r, r.push, decrypted)
	var failure *temporal.ApplicationError
	require.ErrorAs(r, err, &failure)
	return failure
}

// The destination is at a commit that is not the increment's base, so that the child might as well
// think that the base is missing. Whatever it refuses, it stays where it was, and its replay guard as well.
func TestRefusedIncrementLeavesTheBranch(t *testing.T) {
	t.Parallel()
	small := func(r *rig) string { return r.commit("refused") }
	for name, test := range map[string]struct {
		refuse func(*rig)
		change func(*rig) string
		kind   string
		allow  func(*rig)
	}{
		"zero-padded file mode": {
			func(r *rig) { r.atDestination("config", "receive.fsckObjects", "true") },
			func(r *rig) string { return r.badTree("0100644 file") }, "BadObjects",
			func(r *rig) { r.atDestination("config", "receive.fsck.zeroPaddedFilemode", "ignore") },
		},
		"a tree that holds .git": {
			func(r *rig) { r.atDestination("config", "transfer.fsckObjects", "true") },
			func(r *rig) string { return r.badTree("100644 .git") }, "BadObjects",
			func(r *rig) { r.atDestination("config", "transfer.fsckObjects", "false") },
		},
		"larger than a push may be": {
			func(r *rig) { r.atDestination("config", "receive.maxInputSize", "100") }, small, "TooLarge",
			func(r *rig) { r.atDestination("config", "receive.maxInputSize", "0") },
		},
		"a hook": {
			func(r *rig) { r.hook("pre-receive", "echo no >&2; exit 1") }, small, "PushRefused",
			func(r *rig) { r.hook("pre-receive", "") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			r.arrives(r.commit(random(20_000)))
			stays := r.ahead()
			before := r.ownRefs()
			test.refuse(r)
			bad := test.change(r)
			r.produce()
			values := r.watch()

			failure := r.failing()
			require.Equal(t, test.kind, failure.Type(), failure)
			require.True(t, failure.NonRetryable())
			require.Empty(t, values())
			require.Equal(t, stays, r.tip())
			require.Equal(t, before, r.ownRefs())

			test.allow(r)
			r.consume()
			require.Equal(t, []string{bad}, values())
			require.Len(t, r.ownRefs(), 2)
		})
	}
}

// longChain puts a snapshot and two increments into the bucket. The history of the first increment
// is force-pushed away by the second.
func (r *rig) longChain() (tip string) {
	r.Helper()
	first := r.commit(random(60_000))
	r.produce()
	r.commit(random(6_000))
	r.produce()
	r.reset(first)
	tip = r.commit("rewritten")
	r.produce()
	require.Len(r, r.planPushes().Moves[0].Objects, 3)
	return tip
}

func TestNewDestinationShowsOnlyTheTip(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]func(*testing.T) *rig{"with keys": newTrustedRig, "without keys": newRig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := r(t)
			values := r.watch()
			tip := r.longChain()
			r.hook("update", `case $1 in refs/heads/*) echo not yet >&2; exit 1;; esac`)
			require.Equal(t, "PushRefused", r.failing().Type())
			require.Empty(t, values(), "what is refused shows no branch")

			r.hook("update", "")
			r.consume()
			require.Equal(t, []string{tip}, values())
			require.Equal(t, tip, r.tip())
		})
	}
}

// interrupt is a destination that breaks off the nth push, and counts bytes of all. The server may
// be at work on a push that the client has given up.
type interrupt struct {
	at, pushes, bytes atomic.Int64
	answer            string // instead of breaking off
}

func (i *interrupt) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/git-receive-pack") {
			i.bytes.Add(req.ContentLength)
			broken := i.pushes.Add(1) == i.at.Load()
			if broken && i.answer == "" {
				panic(http.ErrAbortHandler)
			}
			if broken {
				w.Header().Set("Content-Type", "application/x-git-receive-pack-result")
				_, _ = w.Write([]byte(i.answer))
				return
			}
		}
		next.ServeHTTP(w, req)
	})
}

func TestInterruptedPushIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	var cut interrupt
	cut.at.Store(3)
	r.destination, r.consumer.Destination = r.git(destinationRepo, gitserver.WithMiddleware(cut.wrap))
	values := r.watch()
	tip := r.longChain()
	decrypted := must(r, r.decrypt, r.received())
	_, err := execute(r, r.push, decrypted)
	require.Error(t, err)
	require.Len(t, r.ownRefs(), 1, "two packs are there")
	sent := cut.bytes.Load()

	require.Len(t, must(r, r.download, r.planPushes().Moves[0]).Objects, 1, "another run does not download them again")
	must(r, r.push, decrypted)
	require.Equal(t, []string{tip}, values())
	require.Less(t, cut.bytes.Load()-sent, sent/10)
	require.Len(t, r.ownRefs(), 2)

	pushes := cut.pushes.Load()
	require.Zero(t, must(r, r.push, decrypted).Size, "a step whose success got lost finds it done")
	require.Equal(t, pushes, cut.pushes.Load())
}

// report is what receive-pack answers when it could not unpack, with what it says beside.
func report(ref, says string) string {
	pkt := func(band, text string) string { return fmt.Sprintf("%04x%s%s", len(text)+4+len(band), band, text) }
	inner := pkt("", "unpack index-pack abnormal exit\n") + pkt("", "ng "+ref+" unpacker error\n") + "0000"
	return pkt("\x02", says) + pkt("\x01", inner) + "0000"
}

// Not every increment that cannot be unpacked lacks its base, and not every one that lacks something is helped by the
// whole chain.
func TestWhatCannotBeUnpacked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		says   string
		behind bool // the destination is at the increment's base
		kind   string
	}{
		"passing":                     {"error: index-pack died of signal 9\n", false, "UnpackFailed"},
		"passing, at the base":        {"error: index-pack died of signal 9\n", true, "UnpackFailed"},
		"base missing":                {"fatal: pack has 1 unresolved delta\n", false, KindBaseMissing},
		"damaged, at the base":        {"fatal: pack has 1 unresolved delta\n", true, "IncompletePack"},
		"a full disk":                 {"fatal: write error: No space left on device\n", false, "DestinationFull"},
		"in another language":         {"Schwerwiegend: Paket hat 1 unaufgelöstes Delta\n", false, KindBaseMissing},
		"in another language, at tip": {"Schwerwiegend: Paket hat 1 unaufgelöstes Delta\n", true, "UnpackFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			bad := &interrupt{answer: report(r.sync.Destination.Ref(), test.says)}
			r.destination, r.consumer.Destination = r.git(destinationRepo, gitserver.WithMiddleware(bad.wrap))
			r.arrives(r.commit(random(20_000)))
			if !test.behind {
				r.ahead()
			}
			before := r.ownRefs()
			tip := r.commit("three")
			r.produce()
			values := r.watch()
			bad.at.Store(bad.pushes.Load() + 1)
			failure := r.failing()
			require.Equal(t, test.kind, failure.Type(), failure)
			require.Empty(t, values())
			require.Equal(t, before, r.ownRefs())

			r.consume()
			require.Equal(t, []string{tip}, values())
		})
	}
}

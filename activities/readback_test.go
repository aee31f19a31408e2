package activities

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A destination that says that it has moved refs, and then has not, is not believed.
func TestPushIsReadBack(t *testing.T) {
	t.Parallel()
	const moved = "while read old new ref; do case $ref in refs/heads/*) "
	for name, test := range map[string]struct{ hook, kind string }{
		"the branch is put back": {moved + "git update-ref $ref $old;; esac; done", "TipDiffers"},
		"the branch is removed":  {moved + "git update-ref -d $ref;; esac; done", "TipDiffers"},
		"the replay guard is removed": {
			moved + "git for-each-ref --format='delete %(refname)' " + ownRefs + "/applied/ | git update-ref --stdin;; esac; done", "RefForbidden",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			r.arrives(r.commit("one"))
			r.hook("post-receive", test.hook)
			r.commit("two")
			r.produce()
			failure := r.failing()
			require.Equal(t, test.kind, failure.Type(), failure)
		})
	}
}

// The destination has done what it was told to, and it is not said that it has not.
func TestClockStepsBackDuringThePush(t *testing.T) {
	t.Parallel()
	putBack := func(r *rig) {
		pushed := filepath.Join(r.TempDir(), "pushed")
		r.hook("post-receive", "touch "+pushed)
		r.consumer.Clock = func() time.Time {
			if _, err := os.Stat(pushed); err == nil {
				return time.Now().Add(-2 * maxClockLead)
			}
			return time.Now()
		}
	}
	t.Run("of a branch", func(t *testing.T) {
		t.Parallel()
		r := newTrustedRig(t)
		r.arrives(r.commit("one"))
		putBack(r)
		r.commit("two")
		r.produce()
		failure := r.failing()
		require.Equal(t, "FutureObject", failure.Type(), failure)
		r.consumer.Clock = time.Now
		r.arrives(r.commit("three"))
	})
	t.Run("of a set", func(t *testing.T) {
		t.Parallel()
		r := newSetPushRig(t, "refs/*", "refs/*")
		r.commitOn("main", random(1000))
		r.produceSet()
		putBack(r.rig)
		fails(r.rig, "FutureObject", r.push, r.decrypted())
	})
}

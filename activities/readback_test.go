package activities

import (
	"testing"

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

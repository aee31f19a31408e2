package activities

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// The producer says it, before it has uploaded what no destination can take.
func TestIncompleteSources(t *testing.T) {
	t.Parallel()
	for kind, how := range map[string]string{"ShallowSource": "--depth=1", "PartialSource": "--filter=blob:none"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.commit("1")
			r.commit("2")
			_, err := r.source.Git(t.Context(), sourceRepo, "config", "uploadpack.allowFilter", "true")
			require.NoError(t, err)
			out, err := exec.CommandContext(t.Context(), "git", "clone", "--quiet", "--bare", how, "file://"+r.source.Dir(sourceRepo), r.source.Dir("platform/copy")).CombinedOutput()
			require.NoError(t, err, string(out))
			sync := r.sync
			sync.Source = project.Branch{Group: "platform", Name: "copy", Branch: "main"}
			r.producer.Syncs = &listed{syncs: []project.Sync{sync}}
			text := fails(r, kind, r.clone, plan.Upload{Sync: sync})
			require.Contains(t, text, "the repository is a ")
		})
	}
}

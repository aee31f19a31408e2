package activities

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"go.temporal.io/sdk/activity"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// Staged says where a run's files are: in the folder Run of the work directory, on the worker that polls the task
// queue Host.
type Staged struct {
	Host string `json:"host"`
	Run  string `json:"run"`
}

// Work is the input of every step of a run: what was planned, and where the run's files are. What only one step makes
// or needs is not in it.
type Work[Plan any] struct {
	Plan   Plan   `json:"plan"`
	Staged Staged `json:"staged,omitzero"` // zero for the first step, whose result says where it has staged them
	// LookFirst is for the first step of a run that no cycle has just planned: it looks whether there is anything left to do. The
	// workflow, which is as new as this, can end with that.
	LookFirst bool `json:"look_first,omitempty"`
	// HeedPause is for the first step, too: it moves nothing if the sync has been paused since it was planned, or was never planned.
	// The workflow can end with that as well.
	HeedPause bool `json:"heed_pause,omitempty"`
	// ShortSteps is for the first step as well: its result may say that the steps after it are short. The workflow can run those itself.
	ShortSteps bool `json:"short_steps,omitempty"`
}

type (
	// UploadWork is the Work of the producer's steps.
	UploadWork = Work[plan.Upload]
	// PushWork is the Work of the consumer's steps.
	PushWork = Work[plan.Push]
)

// Names of a run's files.
const (
	bundleFile  = "repository.bundle"
	refsFile    = "refs"         // of a set
	fetchedFile = "fetch.json"   // what the source was asked for
	lfsFile     = "lfs"          // the list of the LFS objects that a bundle needs
	headFile    = "package.head" // what the archive has before the bundle
	archiveFile = "package.tar"  // the whole archive: the predecessor's, and that of a release before
	objectFile  = "package.tar.age"
)

// numbered names one of several files of a kind, since a chain has several objects.
func numbered(name string, i int) string { return fmt.Sprintf("%02d-%s", i, name) }

// lfsObjectFile has the content of an LFS object, or the beginning of it.
func lfsObjectFile(o lfs.Object) string { return lfsFile + "-" + o.OID }

// stage returns a place for the files of the workflow run that this activity belongs to. Each attempt has another one: one that was
// given up may still be at work on the same worker.
func stage(ctx context.Context, host string) Staged {
	return Staged{Host: host, Run: activity.GetInfo(ctx).WorkflowExecution.RunID + "." + rand.Text()}
}

// runOf is the workflow run that a place for files is of.
func runOf(place string) string {
	run, _, _ := strings.Cut(place, ".")
	return run
}

// Cleanup removes the files of a run. As part of a workflow task, which may be on another worker than the files, it fails with
// ErrMissing where there are none.
func (c *Common) Cleanup(ctx context.Context, staged Staged) error {
	run, err := c.Staging.Run(staged.Run)
	if err != nil {
		return err
	}
	if activity.IsActivity(ctx) && activity.GetInfo(ctx).IsLocalActivity {
		if err := run.Exists(); err != nil {
			return err
		}
	}
	return run.Remove()
}

// areShort tells whether steps that only work on files of so many bytes take moments.
func (c *Common) areShort(size int64) bool {
	return c.LocalActivityMaxSize > 0 && size <= c.LocalActivityMaxSize
}

package activities

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/activity"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

// Staged says where a run's files are: on the worker that polls the task queue Host, in the
// folder Run of its work directory.
type Staged struct {
	Host string `json:"host"`
	Run  string `json:"run"`
}

// Work is what every step of a run is told: what was planned, and where the run's files are. The workflow makes it
// once. What one step makes and another needs is not in it.
type Work[Plan any] struct {
	Plan   Plan   `json:"plan"`
	Staged Staged `json:"staged,omitzero"` // zero for the first step, whose result says where it has staged them
}

type (
	// UploadWork is that of the producer's steps.
	UploadWork = Work[plan.Upload]
	// PushWork is that of the consumer's.
	PushWork = Work[plan.Push]
)

// Names of a run's files.
const (
	bundleFile  = "repository.bundle"
	archiveFile = "package.tar"
	objectFile  = "package.tar.age"
)

// numbered names one of several files of a kind: a chain has several objects.
func numbered(name string, i int) string { return fmt.Sprintf("%02d-%s", i, name) }

// stage names the folder of the workflow run that this activity belongs to.
func stage(ctx context.Context, host string) Staged {
	return Staged{Host: host, Run: activity.GetInfo(ctx).WorkflowExecution.RunID}
}

// Cleanup removes the files of a run.
func (s *Common) Cleanup(_ context.Context, staged Staged) error {
	run, err := s.Staging.Run(staged.Run)
	if err != nil {
		return err
	}
	return run.Remove()
}

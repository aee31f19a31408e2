package workflows_test

import (
	"context"
	"errors"
	"strings"
	"sync"

	enums "go.temporal.io/api/enums/v1"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

const (
	scriptQueue = "script"

	completed      = enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
	failed         = enums.WORKFLOW_EXECUTION_STATUS_FAILED
	continuedAsNew = enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW
)

// script stands in for both sides' activities. The name of the destination project says what
// happens to it: "ok", "fails", "retries" (once), is "down", is "lost" (once), or has LFS objects ("lfs"). What is "small" has short
// steps, and "small-elsewhere" is on another worker than its workflow.
type script struct {
	mu   sync.Mutex
	done map[string]bool
	// rollbacks are what pushes were told about them, by the name of the destination project.
	rollbacks map[string][]bool
	// looked is whether first steps were told to look first, likewise.
	looked map[string][]bool
	// told is what people were told.
	told []activities.Notification
}

func newScript() *script {
	return &script{done: map[string]bool{}, rollbacks: map[string][]bool{}, looked: map[string][]bool{}}
}

func (s *script) begin(name string, looks bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked[name] = append(s.looked[name], looks)
}

// happen is asked by the steps in which something goes wrong.
func (s *script) happen(step, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	again := s.done[step+name]
	s.done[step+name] = true
	switch {
	case name == "fails":
		return named("WrongKey")
	case name == "down", name == "retries" && !again:
		return errors.New("connection reset by peer")
	case (name == "lost" || name == "small-elsewhere") && !again:
		return named(activities.KindStagedFileMissing)
	}
	return nil
}

func staged(name string) activities.Staged { return activities.Staged{Host: scriptQueue, Run: name} }

// scriptedPage is a page of what both sides plan: two branches have to move.
func scriptedPage[M any](r activities.PlanRequest, move func(name string) M) plan.Page[M] {
	names := []string{"ok", "fails"}[min(2, int(r.After)):]
	names = names[:min(r.Size, len(names))]
	p := plan.Page[M]{Checked: len(names), Reached: r.After + turn.Position(len(names))}
	p.Left = 2 - int(p.Reached)
	for _, name := range names {
		p.Moves = append(p.Moves, move(name))
	}
	return p
}

func (s *script) PlanUploads(_ context.Context, r activities.PlanRequest) (plan.Page[plan.Upload], error) {
	return scriptedPage(r, uploadOf), nil
}

func (s *script) Clone(_ context.Context, w activities.UploadWork) (activities.Cloned, error) {
	name := w.Plan.Sync.Destination.Name
	s.begin(name, w.LookFirst)
	return activities.Cloned{Staged: staged(name), Short: isSmall(name), LFS: name == "lfs"}, nil
}

func (s *script) FindLFS(context.Context, activities.UploadWork) (activities.FoundLFS, error) {
	return activities.FoundLFS{Objects: 12, Size: 3_100_000_000}, nil
}

func (s *script) UploadLFS(context.Context, activities.UploadWork) (activities.UploadedLFS, error) {
	return activities.UploadedLFS{MovedLFS: activities.MovedLFS{Sent: 2, There: 10, Size: 3_100_000_000}, ListSize: 912, ListSHA256: "0"}, nil
}

func (s *script) Package(context.Context, activities.UploadWork, activities.PackageInput) (activities.Packaged, error) {
	return activities.Packaged{}, nil
}

func (s *script) Encrypt(_ context.Context, w activities.UploadWork) (activities.Encrypted, error) {
	return activities.Encrypted{}, s.happen("Encrypt", w.Staged.Run)
}

func (s *script) Upload(_ context.Context, w activities.UploadWork, _ activities.UploadInput) (activities.Uploaded, error) {
	return activities.Uploaded{Summary: "snapshot " + w.Staged.Run}, nil
}

func (s *script) Publish(context.Context) error { return nil }

func (s *script) Prune(context.Context, activities.PruneRequest) (activities.Pruned, error) {
	return activities.Pruned{Keys: []string{"old"}}, nil
}

func (s *script) PlanPushes(_ context.Context, r activities.PlanRequest) (plan.Page[plan.Push], error) {
	return scriptedPage(r, pushOf), nil
}

func (s *script) ReadSchedule(context.Context) (activities.Schedule, error) {
	return activities.Schedule{Runs: true}, nil
}

func (s *script) Notify(_ context.Context, n activities.Notification) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, n)
	return nil
}

// AwaitCatalog has news once.
func (s *script) AwaitCatalog(_ context.Context, seen catalog.Seen) (activities.CatalogNews, error) {
	if seen.Sequence > 0 {
		return activities.CatalogNews{}, named("Over")
	}
	return activities.CatalogNews{Seen: catalog.Seen{ETag: "1", Sequence: 1}, Moved: []project.Branch{branch("ok"), branch("fails")}}, nil
}

func (s *script) Download(_ context.Context, w activities.PushWork) (activities.Downloaded, error) {
	s.begin(w.Plan.Destination.Name, w.LookFirst)
	return activities.Downloaded{Staged: staged(w.Plan.Destination.Name), Objects: []object.Stored{stored()}, Short: isSmall(w.Plan.Destination.Name)}, nil
}

func isSmall(name string) bool { return strings.HasPrefix(name, "small") }

func (s *script) Decrypt(_ context.Context, w activities.PushWork, _ activities.DecryptInput) (activities.Decrypted, error) {
	var decrypted activities.Decrypted
	if w.Plan.Destination.Name == "lfs" {
		decrypted.LFSObjects, decrypted.LFSSize = 12, 3_100_000_000
	}
	return decrypted, s.happen("Decrypt", w.Plan.Destination.Name)
}

func (s *script) PushLFS(context.Context, activities.PushWork, activities.PushInput) (activities.PushedLFS, error) {
	return activities.PushedLFS{MovedLFS: activities.MovedLFS{Sent: 2, There: 10, Size: 3_100_000_000}}, nil
}

func (s *script) Push(_ context.Context, w activities.PushWork, _ activities.PushInput) (activities.Pushed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rollbacks[w.Plan.Destination.Name] = append(s.rollbacks[w.Plan.Destination.Name], w.Plan.AllowRollback)
	return activities.Pushed{Summary: "created at " + w.Plan.Destination.Name}, nil
}

func (s *script) Cleanup(context.Context, activities.Staged) error { return nil }

// stored is an object as the bucket lists it.
func stored() object.Stored {
	id := object.ID{Destination: branch("ok"), Commit: strings.Repeat("a", 40)}
	key, err := id.Key()
	if err != nil {
		panic(err)
	}
	return object.Stored{ID: id, Key: key, Size: 1}
}

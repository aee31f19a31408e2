package plan

import (
	"fmt"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// setsAreRefused refuses sets of refs, of which nothing can be moved so far: syncs of them, and objects in the bucket.
var setsAreRefused = true

// refuseSet returns why a set of refs cannot be moved, and nil for a single branch or tag.
func refuseSet(b project.Branch) error {
	if setsAreRefused && b.IsSet() {
		return fmt.Errorf("branch %q: contains '*', but a sync is of one branch (main) or of one tag (refs/tags/v1)", b.Branch)
	}
	return nil
}

// validateSync returns what is wrong with a sync by itself.
func validateSync(s project.Sync) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if err := refuseSet(s.Source); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	return nil
}

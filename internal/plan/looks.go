package plan

import (
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// Look is what a plan has seen of one branch. It stays in the process that made the plan: no history has it.
type Look struct {
	Destination project.Branch
	Head        Head
	Moves       bool // it has to move
	// Failure is the kind of failure that the plan has reported; empty for none. Since is the time of the first run that failed
	// so, if a run has.
	Failure string
	Since   time.Time
}

// Looks are of the branches that the page has looked at, as far as there was an answer or a failure.
func (p *Page[M]) Looks() []Look { return p.looks }

// Warn adds what an operator should know although nothing failed.
func (p *Page[M]) Warn(text string) {
	p.Warning = strings.Trim(p.Warning+"; "+text, "; ")
}

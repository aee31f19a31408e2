package workflows

import (
	"encoding/json"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

// maxFailed is how many bytes of JSON the failures of a report take with their reasons. Temporal takes 2 MiB for a
// report and all that is left to do, and ends a workflow that hands it more, with nothing of it.
const maxFailed = 512 << 10

const noRoom = "this report has no room for more reasons\nSee the branch's own workflow."

// reasons counts what the failures of a report take.
type reasons struct{ used int }

func reasonsOf(failed []plan.Failure) (r reasons) {
	for _, f := range failed {
		r.used += jsonSize(f)
	}
	return r
}

// fit leaves out the reason of a failure if there is no room for it: the child that failed has it as well.
func (r *reasons) fit(f plan.Failure) plan.Failure {
	size := jsonSize(f)
	if r.used+size > maxFailed {
		f.Reason = noRoom
		return f
	}
	r.used += size
	return f
}

func jsonSize(f plan.Failure) int {
	text, err := json.Marshal(f)
	if err != nil {
		return maxFailed
	}
	return len(text)
}

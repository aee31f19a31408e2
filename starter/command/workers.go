package command

import (
	"context"
	"fmt"
	"time"

	enums "go.temporal.io/api/enums/v1"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// longestPoll is more than the minute that a worker's request for work lasts: one that is there is heard of more often. Temporal
// lists a worker for minutes after its end.
const longestPoll = 75 * time.Second

// neededQueue is a task queue that a worker of a side takes work from.
type neededQueue struct {
	name string
	kind enums.TaskQueueType
}

func neededQueues(role contract.Role) []neededQueue {
	return []neededQueue{
		{role.TaskQueue, enums.TASK_QUEUE_TYPE_WORKFLOW},
		{contract.ScanQueue(role.TaskQueue), enums.TASK_QUEUE_TYPE_ACTIVITY},
	}
}

// noPoller returns which queue has no worker, in words; "" if each has one. For each queue that has workers it calls seen with when
// Temporal heard of one last, by the server's clock.
func (s roleClient) noPoller(ctx context.Context, seen func(neededQueue, time.Time)) (string, error) {
	for _, queue := range neededQueues(s.Role) {
		described, err := s.DescribeTaskQueue(ctx, queue.name, queue.kind)
		if err != nil {
			return "", err
		}
		var last time.Time
		for _, poller := range described.GetPollers() {
			if at := poller.GetLastAccessTime().AsTime(); at.After(last) {
				last = at
			}
		}
		if last.IsZero() {
			return s.noWorker("no worker polls", queue), nil
		}
		seen(queue, last)
	}
	return "", nil
}

// warnWithoutWorker says so if nobody is there to do what was started.
func (s roleClient) warnWithoutWorker(ctx context.Context) {
	if missing, err := s.noPoller(ctx, func(neededQueue, time.Time) {}); err == nil && missing != "" {
		s.console.note(missing)
	}
}

// workerWatch finds out, in several looks, whether a workflow has workers. It compares only times of one clock with one another, as
// the server's may differ from this machine's.
type workerWatch struct {
	roleClient
	id    string
	polls map[neededQueue]sighting
	task  sighting
}

// sighting is what was seen last, and since when it is the same.
type sighting struct {
	what  time.Time
	since time.Time
}

func (s *sighting) unchanged(what time.Time) time.Duration {
	if !s.what.Equal(what) {
		*s = sighting{what: what, since: time.Now()}
	}
	return time.Since(s.since)
}

// missing returns which worker is missing, in words; "" if none is.
func (w *workerWatch) missing(ctx context.Context) (string, error) {
	if w.polls == nil {
		w.polls = map[neededQueue]sighting{}
	}
	silent := ""
	missing, err := w.noPoller(ctx, func(queue neededQueue, last time.Time) {
		seen := w.polls[queue]
		if seen.unchanged(last) > longestPoll {
			silent = w.noWorker("no worker any more polls", queue)
		}
		w.polls[queue] = seen
	})
	if err != nil || missing != "" {
		return missing, err
	}
	if silent != "" {
		return silent, nil
	}
	return w.notTakenUp(ctx)
}

// notTakenUp tells of a step of the workflow itself that waits for a worker although there seems to be one. A worker takes it up at
// once, or, on a busy machine, late: then it goes on to ask for work meanwhile.
func (w *workerWatch) notTakenUp(ctx context.Context) (string, error) {
	described, err := w.DescribeWorkflowExecution(ctx, w.id, "")
	if err != nil {
		return "", err
	}
	task := described.GetPendingWorkflowTask()
	if task.GetState() != enums.PENDING_WORKFLOW_TASK_STATE_SCHEDULED {
		w.task = sighting{}
		return "", nil
	}
	if w.task.unchanged(task.GetScheduledTime().AsTime()) < workersLookedAt || !w.pollsSilent(workersLookedAt) {
		return "", nil
	}
	return fmt.Sprintf("no worker takes up %s, though one polled %s a short while ago: has it been stopped? Start one (worker -role %s), or see its log",
		w.id, w.TaskQueue, w.Name), nil
}

// pollsSilent says whether Temporal has heard of no worker for workflows for that long.
func (w *workerWatch) pollsSilent(silence time.Duration) bool {
	for queue, seen := range w.polls {
		if queue.kind == enums.TASK_QUEUE_TYPE_WORKFLOW && time.Since(seen.since) < silence {
			return false
		}
	}
	return true
}

// noWorker says that a worker is missing, and what to do. It may run in another namespace.
func (s roleClient) noWorker(what string, queue neededQueue) string {
	return fmt.Sprintf("%s %s in the namespace %q: start one (worker -role %s), see its log, or set TEMPORAL_NAMESPACE to the one that is meant", what, queue.name, s.namespace, s.Name)
}

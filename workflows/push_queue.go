package workflows

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

const (
	// maxQueued and maxQueuedSize bound the destinations that wait, the latter in bytes of JSON: a run hands them to the next.
	maxQueued     = 10_000
	maxQueuedSize = 1 << 20
	// maxPushLooks is how often a destination is looked at whose child another cycle has started and that goes on and on. Between
	// two looks are pauses of one second, two, and so on up to longestPause: in all, as long as a schedule's usual interval.
	maxPushLooks = 20
	longestPause = 15 * time.Second
)

// queued is a destination that waits, by its name, and the same for all spellings.
type queued struct {
	name     string
	identity project.Branch
}

// pushQueue has the destinations of push events, each once, in the order in which they came.
type pushQueue struct {
	waiting []queued // to be taken
	paused  []queued // to be taken after a pause
	known   map[project.Branch]bool
	size    int // of both, in bytes of JSON

	atWork map[project.Branch]bool
	looks  map[project.Branch]int // at those whose child runs
}

func newPushQueue() *pushQueue {
	return &pushQueue{known: map[project.Branch]bool{}, atWork: map[project.Branch]bool{}, looks: map[project.Branch]int{}}
}

func (p *pushQueue) len() int { return len(p.waiting) + len(p.paused) }

// names are those of all destinations in the queue.
func (p *pushQueue) names() (names []string) {
	for _, q := range slices.Concat(p.waiting, p.paused) {
		names = append(names, q.name)
	}
	return names
}

// add returns false for what is no destination, or has no room.
func (p *pushQueue) add(name string) bool {
	b, err := project.ParseBranch(name)
	if err != nil {
		return false
	}
	return p.push(queued{b.String(), b.Identity()})
}

func (p *pushQueue) push(q queued) bool {
	if p.known[q.identity] {
		return true
	}
	if p.len() == maxQueued || p.size+sizeOf(q) > maxQueuedSize {
		return false
	}
	p.waiting = append(p.waiting, q)
	p.known[q.identity] = true
	p.size += sizeOf(q)
	return true
}

// take takes a batch of destinations out that are not at work. From then on they are.
func (p *pushQueue) take() (batch []queued) {
	p.waiting = slices.DeleteFunc(p.waiting, func(q queued) bool {
		if len(batch) == contract.MaxOnly || p.atWork[q.identity] {
			return false
		}
		batch = append(batch, q)
		return true
	})
	for _, q := range batch {
		delete(p.known, q.identity)
		p.size -= sizeOf(q)
		p.atWork[q.identity] = true
	}
	return batch
}

// finish takes note that a batch has ended. What it has not finished waits in the queue for a pause, after which resume is to be
// called, or for nothing if it is zero. Given is how many of those were looked at so often that they are given up.
func (p *pushQueue) finish(batch, unfinished []queued) (pause time.Duration, given int) {
	again := map[project.Branch]int{}
	for _, q := range unfinished {
		again[q.identity] = p.looks[q.identity] + 1
	}
	for _, q := range batch {
		delete(p.atWork, q.identity)
		delete(p.looks, q.identity)
	}
	for _, q := range unfinished {
		looks := again[q.identity]
		switch {
		case p.known[q.identity]: // pushed to again, and waits already
		case looks >= maxPushLooks || p.len() == maxQueued:
			given++
			continue
		default:
			p.paused = append(p.paused, q)
			p.known[q.identity] = true
			p.size += sizeOf(q)
			pause = max(pause, pauseAfter(looks))
		}
		p.looks[q.identity] = looks
	}
	return pause, given
}

// resume ends the pause of destinations.
func (p *pushQueue) resume(batch []queued) {
	ended := make(map[project.Branch]bool, len(batch))
	for _, q := range batch {
		ended[q.identity] = true
	}
	p.paused = slices.DeleteFunc(p.paused, func(q queued) bool {
		if ended[q.identity] {
			p.waiting = append(p.waiting, q)
		}
		return ended[q.identity]
	})
}

func pauseAfter(looks int) time.Duration {
	return min(longestPause, time.Second<<min(looks-1, 10))
}

// sizeOf is the length of a name in JSON.
func sizeOf(q queued) int {
	text, _ := json.Marshal(q.name) // a string has no error
	return len(text)
}

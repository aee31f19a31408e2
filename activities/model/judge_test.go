package model

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/refset"
)

// bucketAlarms are the kinds of failures that say that somebody tampers with the bucket, and alarms those that nobody gives cause to.
var (
	bucketAlarms = []string{
		plan.KindObjectWithheld, plan.KindCatalogMissing, plan.KindCatalogInvalid, plan.KindCatalogReplayed, plan.KindCatalogStale, "Replayed", "BadSignature",
		"Unsigned", "FutureObject", "WrongKey", "CorruptObject", "ObjectMismatch", "MalformedObject", "ForeignObject", "OtherDestination", "BrokenListing",
		"PredecessorObject",
	}
	alarms = []string{"BundleDiffers", "AlteredFile", "Panic", "RefForbidden"}
)

// judge watches what happens, and finds what must not.
type judge struct {
	world *world

	mu sync.Mutex
	// source has the values of each source since the beginning, and passed how far in these its destination has come.
	source    map[string][]string
	passed    map[string]int
	violation string
	kinds     map[string]int // of failures
	effects   int            // that changed the bucket or the destination
	// late says that a given-up worker has uploaded something that was overtaken since it looked for that. It is the newest in the bucket
	// until it is withdrawn: who knows what was there before, by the catalog, reports that as withheld; who knows nothing takes it.
	late bool
	cut  bool // a listing was cut off
}

func newJudge(w *world) judge {
	return judge{world: w, source: map[string][]string{}, passed: map[string]int{}, kinds: map[string]int{}}
}

func (j *judge) violated(format string, args ...any) {
	if j.violation == "" {
		j.violation = fmt.Sprintf(format, args...)
	}
}

// valueOf is the commit of a sync's ref, or the state of its set; empty if there is none.
func valueOf(s project.Sync, refs map[string]string) string {
	if !s.Source.IsSet() {
		return refs[s.Source.Ref()]
	}
	var state refset.State
	for _, ref := range slices.Sorted(maps.Keys(refs)) {
		if part, ok := s.Match(ref); ok {
			if err := state.Add(refset.Ref{Part: part, Object: refs[ref]}); err != nil {
				panic(err) // the model has made it
			}
		}
	}
	return state.ID()
}

func (j *judge) sourceMoved(refs map[string]string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.world.syncs {
		j.source[s.Source.Branch] = append(j.source[s.Source.Branch], valueOf(s, refs))
	}
}

// pushed looks at what a push has done: a destination's values are, in their order, some of the source's.
func (j *judge) pushed(before, now map[string]string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.effects++
	for _, s := range j.world.syncs {
		name, from, to := s.Source.Branch, valueOf(s, before), valueOf(s, now)
		if from == to {
			continue
		}
		if i := slices.Index(j.source[name][j.passed[name]:], to); i >= 0 && to != "" {
			j.passed[name] += i
			continue
		}
		if j.late && j.world.settings.unsigned && slices.Contains(j.source[name], to) {
			continue
		}
		j.violated("the destination's %s went from %q to %q: its source was there only before, or never", name, plan.Short(from), plan.Short(to))
	}
}

// changed looks at what has become of the bucket. The store's last two states are that before, and that of now.
func (j *judge) changed(what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if what == "PUT "+catalog.Key || what == tampered { // a look at the sources may be worth one
		return
	}
	j.effects++
	if j.world.settings.hostile {
		return // nobody knows what is there by now
	}
	states := j.world.store.states
	before, now := chains(states[len(states)-2]), chains(states[len(states)-1])
	if key, stored := strings.CutPrefix(what, "PUT "); stored {
		j.stored(key, before, now)
	}
	if key, deleted := strings.CutPrefix(what, "DELETE "); deleted && strings.Contains(j.world.current.name, ": Prune") {
		if a := j.world.current.attempt; slices.Contains(putSince(states[a.looked-1:len(states)-1], destinationOf(key)), key) {
			j.late = true // it was uploaded anew since Prune asked for it
			return
		}
		for b, c := range before {
			if left, ok := now[b]; !c.Broken() && (!ok || left.Broken() || left.Newest().Key != c.Newest().Key) {
				j.violated("%s has deleted what %s needs: %s", j.world.current.name, b, showKey(key))
			}
		}
	}
}

// stored looks at an object that a worker has just put into the bucket. Only what came since the worker looked excuses that it does
// not fit.
func (j *judge) stored(key string, before, now map[project.Branch]chain.Chain) {
	a := j.world.current.attempt
	b := destinationOf(key)
	a.overtakenBy = nil
	if states := j.world.store.states; a.looked > 0 {
		a.overtakenBy = putSince(states[a.looked-1:len(states)-1], b)
	}
	overtaken := len(a.overtakenBy) > 0
	j.late = j.late || overtaken && a.isLost
	if now[b].Broken() && !before[b].Broken() && !overtaken && !j.late { // Prune may have gone by what came late
		j.violated("%s has uploaded %s, and nothing leads to its base", a.name, showKey(key))
	}
}

// putSince are the objects of a destination that were put there in the given states, after the first.
func putSince(states []map[string]stored, b project.Branch) (keys []string) {
	for i, state := range states[1:] {
		for key, o := range state {
			if key != catalog.Key && destinationOf(key) == b && o.version != states[i][key].version {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// uploaded looks at what an upload that has not failed leaves: nothing that was overtaken stays the newest.
func (j *judge) uploaded(a *attempt, key string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.world.settings.hostile {
		return
	}
	now := j.world.store.lookAt()
	if c, ok := chains(now)[destinationOf(key)]; !ok || c.Newest().Key != key {
		return
	}
	for _, other := range a.overtakenBy {
		if o, ok := now[other]; ok && o.modified.Before(now[key].modified) {
			j.violated("%s has left %s, although %s came first", a.name, showKey(key), showKey(other))
		}
	}
}

func destinationOf(key string) project.Branch {
	id, err := object.ParseKey(key)
	if err != nil {
		panic(err) // no producer has put it there
	}
	return id.Destination
}

// chains are those of a state of the bucket.
func chains(state map[string]stored) map[project.Branch]chain.Chain {
	var objects []object.Stored
	for key, o := range state {
		if key == catalog.Key {
			continue
		}
		s, err := object.NewStored(key, int64(len(o.content)), o.modified)
		if err != nil {
			panic(err) // no producer has put it there
		}
		objects = append(objects, s)
	}
	return chain.Build(objects)
}

// planned looks at the failures of a plan.
func (j *judge) planned(who string, failures []plan.Failure) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, f := range failures {
		j.alarmed(who, f.Kind, f.Reason)
	}
}

// failed looks at how something has failed, if it has.
func (j *judge) failed(who string, err error) {
	if err == nil || errors.Is(err, errKilled) {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.alarmed(who, kindOf(err), err.Error())
}

func (j *judge) alarmed(who, kind, reason string) {
	j.kinds[kind]++
	switch old := j.world.settings.lagging == "C"; { // what the consumer is shown may be an older state than one that it knows of
	case kind == plan.KindObjectWithheld && (old || j.late), kind == "Replayed" && old:
		return
	}
	if kind == "BrokenListing" && j.cut {
		return
	}
	if slices.Contains(alarms, kind) || !j.world.settings.hostile && slices.Contains(bucketAlarms, kind) {
		j.violated("%s: a false alarm: %s: %s", who, kind, reason)
	}
}

// showKey says which object it is.
func showKey(key string) string {
	id, err := object.ParseKey(key)
	if err != nil {
		return key
	}
	if id.Base == "" {
		return fmt.Sprintf("%s %s", id.Destination.Branch, id.Commit[:4])
	}
	return fmt.Sprintf("%s %s..%s", id.Destination.Branch, id.Base[:4], id.Commit[:4])
}

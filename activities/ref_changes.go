package activities

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/refset"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// minMassDeletion is how many refs may always be deleted at once.
const minMassDeletion = 10

// setRefs are a destination's refs that match a set, whoever has made them, and what the consumer has put there. All
// are by full name.
type setRefs struct {
	set project.Branch
	at  map[string]string
	put map[string]string // the objects of the shadows, by the names of what they are of
	// others are refs that do not match the set, and have the name of a folder of one that does.
	others map[string]string
	// defaultBranch is where the repository's HEAD points to; "" if that is not known. Then it may be any branch at the
	// object that HEAD is at.
	defaultBranch, headObject string
}

func newSetRefs(set project.Branch) *setRefs {
	return &setRefs{set: set, at: map[string]string{}, put: map[string]string{}, others: map[string]string{}}
}

// list returns the refs that match the set. It fails with refset.ErrTooMany.
func (s setRefs) list() (refset.List, error) {
	refs := make([]refset.Ref, 0, len(s.at))
	for ref, object := range s.at {
		part, _ := s.set.Match(ref)
		refs = append(refs, refset.Ref{Part: part, Object: object})
	}
	return refset.New(refs)
}

// deletionPolicy says which refs may be deleted that are no longer in a set's list, and are as the consumer has put
// them. The zero value deletes none.
type deletionPolicy struct {
	allowed bool
	why     string // the setting that allows none
	// maxShare is how large a part of what the consumer has put there may be deleted at once, if that is more than
	// minMassDeletion refs.
	maxShare float64
}

// refChange is what becomes of one ref and its shadow. "" stands for no ref.
type refChange struct {
	ref                  string
	old, new             string
	oldShadow, newShadow string
}

func (c refChange) isNone() bool { return c.old == c.new && c.oldShadow == c.newShadow }

// creates tells whether the change creates the ref or its shadow.
func (c refChange) creates() bool {
	return c.old == "" && c.new != "" || c.oldShadow == "" && c.newShadow != ""
}

// deletes tells whether the change deletes the ref or its shadow.
func (c refChange) deletes() bool {
	return c.deletesRef() || c.oldShadow != "" && c.newShadow == ""
}

func (c refChange) deletesRef() bool { return c.old != "" && c.new == "" }

// refUpdate is the update of the ref itself.
func (c refChange) refUpdate() smarthttp.RefUpdate {
	return smarthttp.RefUpdate{Ref: c.ref, Old: c.old, New: c.new}
}

func (c refChange) shadowUpdate() smarthttp.RefUpdate {
	return smarthttp.RefUpdate{Ref: shadowOf(c.ref), Old: c.oldShadow, New: c.newShadow}
}

// updatesOf returns what changes the refs and their shadows.
func updatesOf(changes []refChange) (updates []smarthttp.RefUpdate) {
	for _, c := range changes {
		for _, u := range []smarthttp.RefUpdate{c.refUpdate(), c.shadowUpdate()} {
			if u.Old != u.New {
				updates = append(updates, u)
			}
		}
	}
	return updates
}

// refusedRef is a ref that is not as the source has it, and why.
type refusedRef struct{ ref, reason string }

// setChanges are what makes a destination's refs those of a list.
type setChanges struct {
	changes []refChange  // in the order of their names
	refused []refusedRef // changes that no server could make
	// kept are the refs that are not deleted, although they were put there and the list does not have them: because they are too many
	// at once (massDeletion), because deletions are not wanted, or the default branch alone.
	kept              []string
	massDeletion      bool
	unwantedDeletions int    // how many are kept because deletions are not wanted
	keptDefault       string // one of kept, because it is the default branch
	shadowedTotal     int    // refs that are as the consumer has put them
}

// mayBeDefault tells whether a ref may be the repository's default branch.
func (s setRefs) mayBeDefault(c refChange) bool {
	if s.defaultBranch != "" {
		return c.ref == s.defaultBranch
	}
	return c.old == s.headObject && strings.HasPrefix(c.ref, "refs/heads/")
}

// changesTo compares the destination with a list. Refs of others are only touched where the list has their names.
func (s setRefs) changesTo(list refset.List, policy deletionPolicy) (to setChanges) {
	listed := make(map[string]bool, len(list))
	for _, r := range list {
		c := refChange{ref: s.set.RefFor(r.Part), new: r.Object, newShadow: r.Object}
		c.old, c.oldShadow = s.at[c.ref], s.put[c.ref]
		if c.old == c.new && c.oldShadow != c.new {
			c.newShadow = "" // somebody else has put it there
		}
		to.add(c)
		listed[c.ref] = true
	}
	var deletions []refChange
	for ref, object := range s.at {
		put := s.put[ref]
		switch {
		case put == object:
			to.shadowedTotal++
			if !listed[ref] {
				deletions = append(deletions, refChange{ref: ref, old: object, oldShadow: put})
			}
		case !listed[ref]:
			to.add(refChange{ref: ref, old: object, new: object, oldShadow: put}) // somebody else has moved it
		}
	}
	for ref, put := range s.put {
		if s.at[ref] == "" && !listed[ref] {
			to.add(refChange{ref: ref, oldShadow: put}) // somebody else has deleted it
		}
	}
	to.addDeletions(deletions, s.mayBeDefault, policy)
	slices.SortFunc(to.changes, func(a, b refChange) int { return cmp.Compare(a.ref, b.ref) })
	slices.Sort(to.kept)
	to.refuseBlocked(s)
	return to
}

func (to *setChanges) add(c refChange) {
	if !c.isNone() {
		to.changes = append(to.changes, c)
	}
}

func (to *setChanges) addDeletions(deletions []refChange, isDefault func(refChange) bool, policy deletionPolicy) {
	if at := slices.IndexFunc(deletions, isDefault); policy.allowed && at >= 0 {
		to.keptDefault = deletions[at].ref
		for _, c := range deletions {
			if isDefault(c) {
				to.kept, to.keptDefault = append(to.kept, c.ref), min(to.keptDefault, c.ref)
			}
		}
		deletions = slices.DeleteFunc(deletions, isDefault)
	}
	to.massDeletion = policy.allowed && len(deletions) > minMassDeletion && float64(len(deletions)) > policy.maxShare*float64(to.shadowedTotal)
	if policy.allowed && !to.massDeletion {
		to.changes = append(to.changes, deletions...)
		return
	}
	if !policy.allowed {
		to.unwantedDeletions = len(deletions)
	}
	for _, c := range deletions {
		to.kept = append(to.kept, c.ref)
	}
}

// refuseBlocked takes out the refs that cannot be created, because one that stays has the name of a folder of theirs, or is
// in a folder of their name. A server would refuse all others with them.
func (to *setChanges) refuseBlocked(s setRefs) {
	staying := maps.Clone(s.others)
	if staying == nil {
		staying = map[string]string{}
	}
	maps.Copy(staying, s.at)
	for _, c := range to.changes {
		if c.new == "" {
			delete(staying, c.ref)
		}
	}
	below := map[string]string{} // for each folder, a ref in it that stays
	for ref := range staying {
		for folder := range foldersOf(ref) {
			if other := below[folder]; other == "" || ref < other {
				below[folder] = ref
			}
		}
	}
	to.changes = slices.DeleteFunc(to.changes, func(c refChange) bool {
		if c.old != "" || c.new == "" {
			return false
		}
		blocker := below[c.ref]
		for folder := range foldersOf(c.ref) {
			if staying[folder] != "" {
				blocker = folder
			}
		}
		if blocker != "" {
			to.refused = append(to.refused, refusedRef{c.ref, blocker + " is there, and stands in the way of the name"})
		}
		return blocker != ""
	})
}

// foldersOf yields the folders that a ref is in, below refs/heads and refs/tags.
func foldersOf(ref string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for folder := path.Dir(ref); strings.Count(folder, "/") > 1 && yield(folder); {
			folder = path.Dir(folder)
		}
	}
}

// inTwoSteps splits changes that git does not make in one transaction: a ref is deleted first if one that is created has its
// name as a folder, or is such a folder.
func inTwoSteps(changes []refChange) (first, then []refChange) {
	created, folders := map[string]bool{}, map[string]bool{}
	for _, c := range changes {
		if c.creates() {
			created[c.ref] = true
			for folder := range foldersOf(c.ref) {
				folders[folder] = true
			}
		}
	}
	for _, c := range changes {
		inTheWay := folders[c.ref]
		for folder := range foldersOf(c.ref) {
			inTheWay = inTheWay || created[folder]
		}
		if c.deletes() && inTheWay {
			first = append(first, c)
		} else {
			then = append(then, c)
		}
	}
	return first, then
}

// withShadowAhead returns the changes whose shadows come before their refs where these are changed one by one. A deleted ref's
// shadow goes after it: until then, it says who may delete the ref.
func withShadowAhead(changes []refChange) (ahead []refChange) {
	for _, c := range changes {
		if u := c.shadowUpdate(); u.New != "" && u.Old != u.New {
			ahead = append(ahead, c)
		}
	}
	return ahead
}

// shadowsBehind returns the updates of shadows that come after their refs.
func shadowsBehind(changes []refChange) (updates []smarthttp.RefUpdate) {
	for _, c := range changes {
		if u := c.shadowUpdate(); u.New == "" && u.Old != "" {
			updates = append(updates, u)
		}
	}
	return updates
}

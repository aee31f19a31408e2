package activities

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/refset"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// maxShadows is more than a set has refs, so that those of others can be told apart and deleted.
const maxShadows = refset.MaxRefs + maxUnwanted

// shadowsFolder is the folder of the shadows of branches, of tags, or of both.
func shadowsFolder(set project.Branch) string {
	folder := path.Clean(putFolder)
	for _, kind := range []string{"heads", "tags"} {
		if strings.HasPrefix(set.Branch, "refs/"+kind+"/") {
			folder = putFolder + kind
		}
	}
	return folder
}

// outerFolders are the folders that all refs of a set are in. A ref of such a name stands in the way of all of them.
func outerFolders(set project.Branch) []string {
	if len(set.RefPrefixes()) > 1 {
		return nil
	}
	return slices.Collect(foldersOf(set.RefPrefixes()[0] + "x"))
}

// rereadSet reads the refs of a set, in one request.
func (d destination) rereadSet(ctx context.Context, latest time.Time) (destination, error) {
	d.incomingObject, d.set = "", newSetRefs(d.branch)
	wanted := smarthttp.Wanted{
		Names: append(outerFolders(d.branch), "HEAD"), Symrefs: true,
		// Without slashes at their ends, as somebody may have put a ref in the place of a folder.
		Prefixes: append(d.branch.RefPrefixes(), path.Clean(setsFolder), shadowsFolder(d.branch)),
	}
	err := d.eachRef(ctx, wanted, func(ref smarthttp.Ref) error {
		d.addSetRef(ref, latest)
		if len(d.set.at) > refset.MaxRefs {
			return fmt.Errorf("%w match %s", refset.ErrTooMany, d.branch.Branch)
		}
		return nil
	})
	if err != nil {
		return d, err
	}
	if len(d.set.put) == 0 && shadowsFolder(d.branch) != path.Clean(putFolder) { // as long as there are any, there is no ref of their folder's name
		object, err := d.commitOf(ctx, path.Clean(putFolder))
		if err != nil {
			return d, fmt.Errorf("destination %s: %w", d.branch, err)
		}
		if object != "" {
			d.markUnwanted(path.Clean(putFolder), object)
		}
	}
	list, err := d.set.list()
	if err != nil {
		return d, fmt.Errorf("destination %s: %w", d.branch, err)
	}
	d.tip = list.StateID()
	return d, nil
}

func (d destination) matches(ref string) bool {
	_, ok := d.branch.Match(ref)
	return ok
}

// addSetRef takes in one ref of the set's repository.
func (d *destination) addSetRef(ref smarthttp.Ref, latest time.Time) {
	name, object := ref.Name, ref.Object
	of, isShadow := shadowed(name)
	switch {
	case d.matches(name):
		d.set.at[name] = object
	case name == "HEAD":
		d.set.defaultBranch, d.set.headObject = ref.SymrefTarget, object
	case !strings.HasPrefix(name, ownRefs+"/"):
		if len(d.set.others) < maxUnwanted { // of more, the destination has to say itself that they are in the way
			d.set.others[name] = object
		}
	case isShadow && d.matches(of) && len(d.set.put) < maxShadows:
		d.set.put[of] = object
	case sentState(d.branch, name) != "" && d.incoming == "":
		d.incoming, d.incomingObject = sentState(d.branch, name), object
	case !d.guard.enabled && d.guard.addNote(name, object):
	case d.guard.enabled && d.guard.addRef(name, object, latest, d.markUnwanted):
	case strings.HasPrefix(name, d.guard.prefix+"at-"): // of a consumer with keys
	case d.isInTheWay(name):
		d.markUnwanted(name, object)
	}
}

// isInTheWay tells whether a ref is where only the set's own refs and shadows may be, or in the place of a folder of theirs.
func (d *destination) isInTheWay(ref string) bool {
	if strings.HasPrefix(ref, setFolder(d.branch)) || blocks(ref, setFolder(d.branch)+"x") {
		return true
	}
	return slices.ContainsFunc(shadowPrefixes(d.branch), func(prefix string) bool {
		return strings.HasPrefix(ref, prefix) || blocks(ref, path.Join(prefix, "x"))
	})
}

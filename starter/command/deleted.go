package command

import (
	"fmt"
	"time"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/object"
)

// deletedLines says of which destinations objects were deleted, by their keys, in the order of the first key of each.
func deletedLines(keys []string) (lines []string) {
	var order []string
	deleted := map[string]map[string]bool{} // what was deleted of each
	lfsOf := map[string]bool{}
	for _, key := range keys {
		of, what, isLFS := ownerOf(key)
		if deleted[of] == nil {
			order, deleted[of] = append(order, of), map[string]bool{}
		}
		deleted[of][what], lfsOf[of] = true, isLFS
	}
	for _, of := range order {
		switch n := len(deleted[of]); {
		case deleted[of][of]: // a key that says of nothing what it is
			lines = append(lines, of)
		case lfsOf[of]:
			lines = append(lines, fmt.Sprintf("%s of %s", activities.CountNoun(n, "LFS object", "LFS objects"), of))
		default:
			lines = append(lines, fmt.Sprintf("%s of %s", activities.CountNoun(n, "object", "objects"), of))
		}
	}
	return lines
}

// ownerOf returns of which destination, or project, an object is, and what tells it from others of these. An LFS object may have
// several keys. Of a key that cannot be decoded both are the key.
func ownerOf(key string) (of, what string, isLFS bool) {
	if key == catalog.Key {
		return "the producer's catalog", "the producer's catalog", false
	}
	if folder, oid, _, err := lfs.ParseKey(key); err == nil {
		group, name, _ := lfs.ParseFolder(folder) // ParseKey has read it, too
		return group + "/" + name, oid, true
	}
	if o, err := object.NewStored(key, 0, time.Time{}); err == nil {
		return o.Destination.String(), key, false
	}
	return key, key, false
}

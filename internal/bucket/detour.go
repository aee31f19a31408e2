package bucket

import "strings"

// detour leads a listing around a folder. Nil leads around nothing.
type detour struct {
	folder   string // ends in a slash
	entered  bool   // an object in it has been yielded
	hasPlain bool   // a key that is in no folder came before it
	taken    bool
}

// keeps tells whether to yield the next key.
func (d *detour) keeps(key string) bool {
	switch {
	case d == nil:
		return true
	case strings.HasPrefix(key, d.folder):
		first := !d.entered
		d.entered = true
		return first
	}
	d.hasPlain = d.hasPlain || key < d.folder && !strings.Contains(key, "/")
	return true
}

// isDue tells whether the next page is to begin behind the folder, because this one ends in it. A store that lists folders
// before other keys, as some do that keep objects in a file system, would then hide those. So a key that is in no folder
// has to have come before: without one, the listing goes on, and meets what is not in order.
func (d *detour) isDue(page []ObjectInfo) bool {
	if d == nil || d.taken || !d.hasPlain || len(page) == 0 || !strings.HasPrefix(page[len(page)-1].Key, d.folder) {
		return false
	}
	d.taken = true
	return true
}

// end is after all keys in the folder. No other key is before it.
func (d *detour) end() string {
	return strings.TrimSuffix(d.folder, "/") + string(rune('/'+1))
}

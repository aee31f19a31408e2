package chain

// growth is how many times larger an object has to be than all that follow it
// together. With 2, as in git-repack(1) --geometric=2, a chain over n bytes of
// updates has O(log n) objects and each byte is uploaded O(log n) times.
const growth = 2

// Next tells what the next upload of the branch should build on: the commit of
// one of the chain's objects, or "" for a snapshot. The objects after the base
// are replaced by the upload.
//
// The size of the upload is not known yet, so the rule repairs what the last
// one left behind: it keeps the longest beginning of the chain in which every
// object is at least twice as large as all that follow it together. When not even
// the snapshot is, the increments have outgrown half of it and a new snapshot is due.
func (c Chain) Next() (base, reason string) {
	if c.Broken() {
		return "", "the bucket's chain is broken"
	}
	var following int64
	keep := len(c.Objects) - 1
	for i := keep; i >= 0; i-- {
		if c.Objects[i].Size < growth*following {
			keep = i - 1
		}
		following += c.Objects[i].Size
	}
	if keep < 0 {
		return "", "increments have outgrown half of the snapshot"
	}
	return c.Objects[keep].Commit, ""
}

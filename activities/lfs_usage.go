package activities

import (
	"context"
	"fmt"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// maxLFSKeys bounds how many keys of LFS objects are counted for a plan that is shown. A thousand of them are a request.
const maxLFSKeys = 1_000_000

// lfsUsage counts the LFS objects in the bucket by project, for people, from so many keys at most. Keys that are none of an LFS
// object are failures. Memory is bounded, whatever the folder has.
func (c Common) lfsUsage(ctx context.Context, maxKeys int) (*plan.LFSInBucket, []plan.Failure, error) {
	all, undecodable := &plan.LFSInBucket{}, undecodableKeys{}
	var at lfsCount
	keys := 0
	for o, err := range c.Bucket.List(ctx, lfs.Root) {
		if err != nil {
			return nil, nil, fmt.Errorf("count LFS objects: %w", err)
		}
		if keys++; keys > maxKeys {
			all.Incomplete = true
			break
		}
		folder, oid, _, err := lfs.ParseKey(o.Key)
		if err != nil {
			undecodable.add(o.Key, err)
			continue
		}
		if folder != at.folder {
			at.addTo(all)
			at = lfsCount{folder: folder}
		}
		at.add(oid, o.Size)
	}
	at.addTo(all)
	all.Finish()
	return all, undecodable.failures(), nil
}

// lfsCount counts the LFS objects of one folder, whose segments come in the order of their OIDs.
type lfsCount struct {
	folder, oid string
	plan.LFSUsage
}

func (c *lfsCount) add(oid string, size int64) {
	if oid != c.oid {
		c.oid = oid
		c.Objects++
	}
	c.Size += size
}

// addTo adds the folder's project to all.
func (c *lfsCount) addTo(all *plan.LFSInBucket) {
	if group, name, err := lfs.ParseFolder(c.folder); err == nil {
		all.Add(plan.LFSProject{Project: project.Branch{Group: group, Name: name}.Path(), LFSUsage: c.LFSUsage})
	}
}

// showLFS adds to the first page of a plan that is shown what the bucket has of Git LFS, if it has any. It marks the projects that
// are unused, if it is known which are.
func showLFS[M any](ctx context.Context, c Common, page *plan.Page[M], contents bucketContents, unused func(path string) bool) {
	if !contents.lfs {
		return
	}
	usage, failures, err := c.lfsUsage(ctx, maxLFSKeys)
	if err != nil {
		failBucket(page, err)
		return
	}
	for i, p := range usage.Projects {
		usage.Projects[i].Unused = unused != nil && unused(p.Project)
	}
	page.LFS = usage
	page.FailAll(plan.Failures{Failed: failures})
}

package activities

import (
	"context"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

const (
	// maxLFSFolders bounds how many folders of projects are listed. A thousand of them are a request.
	maxLFSFolders = 100_000
	// maxUnusedLFS is how many unused folders one cycle looks into. Which ones they are changes with the order.
	maxUnusedLFS = 20
	// maxUnusedKeys bounds how many keys of one of them are read.
	maxUnusedKeys = 10_000
)

// projectSet has projects by the paths of their identities. Instead of paths, which take too much memory, it keeps hashes, and when
// there are too many it has every project: none then counts as unused.
type projectSet struct {
	seed   maphash.Seed
	hashes map[uint64]struct{}
	full   bool
}

func newProjectSet() *projectSet {
	return &projectSet{seed: maphash.MakeSeed(), hashes: map[uint64]struct{}{}}
}

func (s *projectSet) add(path string) {
	if s.full = s.full || len(s.hashes) == maxCountedDestinations; !s.full {
		s.hashes[maphash.String(s.seed, path)] = struct{}{}
	}
}

func (s *projectSet) has(path string) bool {
	_, ok := s.hashes[maphash.String(s.seed, path)]
	return ok || s.full
}

// lfsRule tells which LFS objects nothing needs. The zero rule has none deleted.
type lfsRule struct {
	unused func(path string) bool // of a project's identity; nil for no project
	before time.Time              // they were uploaded before that
	reason string
}

// lfsRule keeps the LFS objects of each project that has a sync, or anything else in the bucket: whatever the list of
// syncs says for a while, they are there as long as the objects of commits are. Without both nothing needs them, and they
// have to be as old as destinations have to be away. It has all deleted where the predecessor's consumer reads the bucket:
// it stops at keys that it cannot decode.
func (p *Producer) lfsRule(contents bucketContents, syncs []project.Sync, absence plan.Absence) lfsRule {
	now := p.Clock()
	switch {
	case !contents.lfs:
		return lfsRule{}
	case p.WritePredecessor:
		return lfsRule{func(string) bool { return true }, now.AddDate(1000, 0, 0), "the predecessor's consumer stops at them"}
	case !p.Retention.Orphans(syncs, contents.chains, contents.omitted, absence, now).Trusted:
		return lfsRule{}
	}
	return lfsRule{contents.unused(syncs), now.Add(-p.Retention.After), "no sync has the project as its destination, and the bucket has no commits of it"}
}

// unused tells by the paths of their identities of which projects the bucket has nothing but LFS objects, if anything, and no
// sync has the destination.
func (c bucketContents) unused(syncs []project.Sync) func(path string) bool {
	configured := map[string]bool{}
	for _, s := range syncs {
		configured[s.Destination.Identity().Path()] = true
	}
	return func(path string) bool { return !configured[path] && !c.projects.has(path) }
}

// unusedLFS returns the first projects in the order whose LFS objects the rule has deleted. They may have none that are old enough.
func (p *Producer) unusedLFS(ctx context.Context, rule lfsRule) (unused []project.Branch, err error) {
	if rule.unused == nil {
		return nil, nil
	}
	order, folders := turn.At(p.Clock()), 0
	for folder, err := range p.Bucket.ListFolder(ctx, lfs.Root) {
		if err != nil {
			return nil, fmt.Errorf("folders of LFS objects: %w", err)
		}
		if folders++; folders > maxLFSFolders {
			break
		}
		group, name, err := lfs.ParseFolder(folder)
		b := project.Branch{Group: group, Name: name}
		if err != nil || !rule.unused(b.Path()) { // plans that are shown report what is no folder of ours
			continue
		}
		at, _ := slices.BinarySearchFunc(unused, b, order.Compare)
		unused = slices.Insert(unused, at, b)
		unused = unused[:min(len(unused), maxUnusedLFS)]
	}
	return unused, nil
}

// deletableLFS yields the LFS objects of an unused project that are old enough.
func (p *Producer) deletableLFS(ctx context.Context, of project.Branch, rule lfsRule) iter.Seq2[bucket.ObjectInfo, error] {
	return func(yield func(bucket.ObjectInfo, error) bool) {
		folder, err := lfs.Folder(of)
		if err != nil {
			yield(bucket.ObjectInfo{}, err)
			return
		}
		keys := 0
		for o, err := range p.Bucket.List(ctx, folder) {
			if err != nil {
				yield(o, fmt.Errorf("LFS objects of %s: %w", of.Path(), err))
				return
			}
			if keys++; keys > maxUnusedKeys {
				return
			}
			if _, _, _, foreign := lfs.ParseKey(o.Key); foreign != nil || !o.Modified.Before(rule.before) {
				continue
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

// lfsDue returns the projects of which LFS objects may be deleted now.
func (p *Producer) lfsDue(ctx context.Context, rule lfsRule) (due []plan.LFSDeletion, err error) {
	unused, err := p.unusedLFS(ctx, rule)
	if err != nil {
		return nil, err
	}
	for _, b := range unused {
		for _, err := range p.deletableLFS(ctx, b, rule) {
			if err != nil {
				return nil, err
			}
			due = append(due, plan.LFSDeletion{Project: b.Path(), Reason: rule.reason})
			break
		}
	}
	return due, nil
}

// openLFS adds to the first page of a cycle what concerns LFS objects. That they cannot be listed keeps no branch waiting.
func (p *Producer) openLFS(ctx context.Context, page *plan.Page[plan.Upload], syncs []project.Sync, contents bucketContents, request PlanRequest) {
	due, err := p.lfsDue(ctx, p.lfsRule(contents, syncs, request.Absence))
	if err != nil {
		failBucket(page, err)
	}
	page.LFSDue = due
	if request.Detail {
		showLFS(ctx, p.Common, page, contents, contents.unused(syncs))
	}
}

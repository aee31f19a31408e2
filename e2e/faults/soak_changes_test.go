package faults_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

const (
	// changesPause is the longest pause between two changes of the soak's own projects.
	changesPause = 4 * time.Second
	// stillness is between two changes of one project: who lists the refs of a set meanwhile sees at most one of them.
	stillness = time.Second
	// fileNames and filePool bound what a repository and its LFS objects grow to.
	fileNames, filePool = 8, 12
	largestFile         = 64 << 10
)

// startChanges keeps changing the soak's projects until it is stopped.
func (s *soak) startChanges(t testing.TB) (stop func()) {
	pause := func() time.Duration { return time.Duration(s.dice.Int64N(int64(changesPause))) }
	return repeat(pause, func() {
		if err := s.changeAny(); err != nil {
			t.Error("a change:", err)
		}
	})
}

// changeAny makes one change of some kind to some project.
func (s *soak) changeAny() error {
	p := soakProjects[s.dice.IntN(len(soakProjects))]
	if time.Since(s.changed[p]) < stillness {
		return nil
	}
	kinds := []func(*soakProject) error{s.commitSome, s.commitSome, s.mergeSome, s.rewindSome, s.beginAnew}
	if len(p.branches) > 0 {
		kinds = append(kinds, s.branchOff, s.branchOff, s.dropBranch)
	}
	if len(p.tags) > 0 {
		kinds = append(kinds, s.tagSome, s.tagSome, s.dropTag)
	}
	if slices.Contains(p.syncs, "refs/tags/"+stable) {
		kinds = append(kinds, s.tagStable)
	}
	s.moving.Lock()
	defer s.moving.Unlock()
	s.changed[p] = time.Now()
	s.made++
	return kinds[s.dice.IntN(len(kinds))](p)
}

func (s *soak) commitSome(p *soakProject) error {
	branch := s.branch(p)
	return s.move(p, branch, branch)
}

// mergeSome merges what begins at another branch, or at the same one.
func (s *soak) mergeSome(p *soakProject) error {
	side, err := s.draft(p, s.branch(p))
	if err != nil {
		return err
	}
	branch := s.branch(p)
	return s.move(p, branch, branch, side)
}

// rewindSome takes up to three commits back, and has another in their place, or not.
func (s *soak) rewindSome(p *soakProject) error {
	branch := s.branch(p)
	before, err := s.Source.Git(context.Background(), p.repo, "rev-parse", "--verify", "--quiet", fmt.Sprintf("refs/heads/%s~%d", branch, 1+s.dice.IntN(3)))
	if err != nil {
		return nil // it is not that long
	}
	if s.dice.IntN(2) == 0 {
		return s.move(p, branch, before)
	}
	return s.put(p, branch, before)
}

// beginAnew gives a branch a history that has nothing in common with the one before.
func (s *soak) beginAnew(p *soakProject) error { return s.move(p, s.branch(p)) }

func (s *soak) branchOff(p *soakProject) error {
	from, branch := s.branch(p), p.branches[s.dice.IntN(len(p.branches))]
	if s.dice.IntN(2) == 0 {
		return s.move(p, branch, from)
	}
	return s.put(p, branch, from)
}

func (s *soak) dropBranch(p *soakProject) error {
	return s.drop(p, "refs/heads/"+p.branches[s.dice.IntN(len(p.branches))])
}

func (s *soak) tagSome(p *soakProject) error { return s.tag(p, p.tags[s.dice.IntN(len(p.tags))]) }

func (s *soak) dropTag(p *soakProject) error {
	return s.drop(p, "refs/tags/"+p.tags[s.dice.IntN(len(p.tags))])
}

func (s *soak) tagStable(p *soakProject) error { return s.tag(p, stable) }

// tag has a tag, annotated or not, be at some branch's tip.
func (s *soak) tag(p *soakProject, name string) error {
	args := []string{"tag", "--force", name, s.branch(p)}
	if s.dice.IntN(2) == 0 {
		args = append(args, "--annotate", "--message", fmt.Sprint("tag ", s.dice.Uint64()))
	}
	_, err := s.Source.Git(context.Background(), p.repo, args...)
	return err
}

func (s *soak) drop(p *soakProject, ref string) error {
	if _, err := s.Source.Git(context.Background(), p.repo, "rev-parse", "--verify", "--quiet", ref); err != nil {
		return nil // it is not there
	}
	return s.Source.UpdateRefs(context.Background(), p.repo, "delete "+ref)
}

// branch is one that there is.
func (s *soak) branch(p *soakProject) string {
	var all []string
	for ref := range heads(s.Source.Server, p.repo) {
		if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
			all = append(all, branch)
		}
	}
	slices.Sort(all)
	return all[s.dice.IntN(len(all))]
}

// put has a branch be at a commit, or where another branch is.
func (s *soak) put(p *soakProject, branch, at string) error {
	return s.Source.UpdateRefs(context.Background(), p.repo, "update refs/heads/"+branch+" "+at)
}

// move has a branch be at a new commit on top of others.
func (s *soak) move(p *soakProject, branch string, parents ...string) error {
	commit, err := s.draft(p, parents...)
	if err != nil {
		return err
	}
	return s.put(p, branch, commit)
}

// draft makes a commit on top of others, with a file that does not compress or, at times, one that is kept by Git LFS.
func (s *soak) draft(p *soakProject, parents ...string) (string, error) {
	name := fmt.Sprintf("file-%d", s.dice.IntN(fileNames))
	content := noise(s.dice.Uint64(), 1+s.dice.IntN(largestFile))
	if p.files && s.dice.IntN(2) == 0 {
		n := s.dice.IntN(filePool)
		o, err := s.Source.LFS().Add(p.repo, []byte(noise(uint64(n), largestFile*(1+n%4))))
		if err != nil {
			return "", err
		}
		content = gitserver.Pointer(o)
	}
	return s.Source.Draft(context.Background(), p.repo, parents, map[string]string{name: content}, fmt.Sprint("change ", s.dice.Uint64()))
}

// noise does not compress, and is the same for the same seed.
func noise(seed uint64, size int) string {
	text := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)}).Read(text)
	return string(text)
}

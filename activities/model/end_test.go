package model

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// end lets everything come to its end without further faults, and then requires that both sides are in step.
func (p *player) end() {
	for _, r := range p.requests() {
		if r.isLost && p.draw(2, "the lost worker comes back") == 0 {
			p.lose(r, true)
		}
	}
	p.quiet = true
	p.finish(p.settle)
	for _, s := range p.syncs {
		if valueOf(s, p.source.refs) == "" {
			p.commitTo(s)
		}
	}
	for range 3 {
		p.cycleOfBoth()
	}
	p.requireStep()
	before := p.judge.effects
	p.cycleOfBoth()
	if p.judge.effects != before {
		p.T.Fatalf("an idle cycle has done something")
	}
	for _, s := range p.syncs {
		p.commitTo(s)
	}
	p.cycleOfBoth()
	p.requireStep()
	p.requireOwnRefs()
}

func (p *player) commitTo(s project.Sync) {
	p.world.commit(strings.Replace(s.Source.Ref(), "*", "v1", 1), 100)
}

func (p *player) cycleOfBoth() {
	time.Sleep(5 * time.Minute)
	p.beginProducerCycle()
	p.finish(p.settle)
	p.beginConsumerCycle()
	p.finish(p.settle)
}

// requireStep requires that the destination is where the source is, and that nothing is left over in the bucket.
func (p *player) requireStep() {
	held := chains(p.store.now())
	for _, s := range p.syncs {
		ref, c := s.Source.Branch, held[s.Destination]
		source, target := valueOf(s, p.source.refs), valueOf(s, p.target.refs)
		if source != target {
			p.T.Fatalf("%s: the source is at %s and the destination at %q", ref, source, target)
		}
		if c.Broken() || len(c.Objects) == 0 || c.Tip() != source {
			p.T.Fatalf("%s: the bucket's chain is %+v", ref, c)
		}
		if n := len(c.Objects); float64(n) > 2+math.Log2(200_000) {
			p.T.Fatalf("%s: a chain of %d objects", ref, n)
		}
		if len(c.Superseded) > 0 {
			p.T.Fatalf("%s: %d objects are left over", ref, len(c.Superseded))
		}
	}
	if len(held) != len(p.syncs) {
		p.T.Fatalf("the bucket has objects of %d destinations", len(held))
	}
}

// requireOwnRefs requires that the destination has no refs of the consumer's but the documented ones. What a worker has left there that
// was given up goes with the next push.
func (p *player) requireOwnRefs() {
	allowed := regexp.MustCompile(`^refs/(heads|tags)/|^refs/git-partition-sync/(applied/[ab]/(at|object)-\d+$|sets/refs/tags/\+/(at|object|state)-|put/tags/)`)
	var own []string
	tags := 0
	for _, ref := range slices.Sorted(maps.Keys(p.target.refs)) {
		switch {
		case !allowed.MatchString(ref):
			p.T.Fatalf("%s is left over", ref)
		case strings.HasPrefix(ref, "refs/git-partition-sync/"):
			own = append(own, ref)
		case strings.HasPrefix(ref, "refs/tags/"):
			tags++
		}
	}
	if most := 2 + max(2, 3+tags); len(own) > most {
		p.T.Fatalf("more than %d refs of the consumer's own: %q", most, own)
	}
}

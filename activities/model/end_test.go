package model

import (
	"math"
	"regexp"
	"strings"
	"time"
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
			p.world.commit(strings.Replace(s.Source.Ref(), "*", "v1", 1), 100)
		}
	}
	for range 3 {
		time.Sleep(5 * time.Minute)
		p.beginProducerCycle()
		p.finish(p.settle)
		p.beginConsumerCycle()
		p.finish(p.settle)
	}
	p.requireStep()
	before := p.judge.effects
	p.beginProducerCycle()
	p.finish(p.settle)
	p.beginConsumerCycle()
	p.finish(p.settle)
	if p.judge.effects != before {
		p.T.Fatalf("an idle cycle has done something")
	}
}

// requireStep requires that the destination is where the source is, and that nothing is left over.
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
	allowed := regexp.MustCompile(`^refs/(heads|tags)/|^refs/git-partition-sync/(applied/[ab]/(at|object)-\d+$|sets/refs/tags/\+/(at|object|state)-|put/tags/)`)
	own, tags := 0, 0
	for ref := range p.target.refs {
		switch {
		case !allowed.MatchString(ref):
			p.T.Fatalf("%s is left over", ref)
		case strings.HasPrefix(ref, "refs/git-partition-sync/"):
			own++
		case strings.HasPrefix(ref, "refs/tags/"):
			tags++
		}
	}
	if most := 2 + max(2, 3+tags); own > most {
		p.T.Fatalf("%d refs of the consumer's own, more than %d", own, most)
	}
}

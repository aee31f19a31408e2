package model

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

func (p *player) letTimePass() {
	d := []time.Duration{300 * time.Millisecond, time.Second, 2 * time.Second, 40 * time.Second, 3 * time.Minute}[p.draw(5, "how long")]
	p.T.Logf("%s pass", d)
	time.Sleep(d)
}

// victim is a request that something happens to, half of the time one that changes the bucket or the destination; nil if there is none.
func (p *player) victim() *request {
	waiting := p.ready()
	if changes := slices.DeleteFunc(slices.Clone(waiting), (*request).onlyReads); len(changes) > 0 && p.draw(2, "of which") == 0 {
		waiting = changes
	}
	if len(waiting) == 0 {
		return nil
	}
	return waiting[p.draw(len(waiting), "request")]
}

// loseWorker has Temporal give up an attempt. Most go on later nevertheless.
func (p *player) loseWorker() {
	r := p.victim()
	if r == nil {
		return
	}
	how := p.draw(4, "how")
	r.again = how == 2
	p.T.Logf("%s: %s", []string{"killed", "given up", "given up, and tried again there", "given up"}[how], r)
	p.lose(r, how == 0)
	p.held[r.attempt] = true
}

// holdUp stops an attempt without Temporal taking notice.
func (p *player) holdUp() {
	if r := p.victim(); r != nil {
		p.T.Logf("held up: %s", r)
		p.held[r.attempt] = true
	}
}

// release lets an attempt go on that was held up.
func (p *player) release() {
	waiting := slices.DeleteFunc(p.requests(), func(r *request) bool { return !p.held[r.attempt] })
	if len(waiting) > 0 {
		r := waiting[p.draw(len(waiting), "request")]
		p.T.Logf("released: %s", r)
		delete(p.held, r.attempt)
	}
}

func (p *player) breakRequest() {
	r, o := p.victim(), outcome{lost: errBroken}
	if r == nil {
		return
	}
	switch how := p.draw(4, "how"); {
	case how < 2:
		o = outcome{refused: errBroken}
	case how == 2 && strings.HasPrefix(r.what, "LIST"):
		o, p.judge.cut = outcome{cut: true}, true
	}
	p.turn(r, o)
}

// meddle has somebody else move the destination.
func (p *player) meddle() {
	refs := p.refs()
	ref := refs[p.draw(len(refs), "ref")]
	if !strings.HasPrefix(ref, "refs/heads/") { // what others do to a set's refs makes states that the source was not in
		return
	}
	to := ""
	if values := p.values(ref); len(values) > 0 && p.draw(3, "kind of move") > 0 {
		to = values[p.draw(len(values), "value")]
	}
	p.target.set(ref, to)
	p.T.Logf("somebody moves the destination's %s to %q", ref, plan.Short(to))
}

// tamper has somebody else change the bucket, where somebody does.
func (p *player) tamper() {
	if !p.settings.hostile {
		return
	}
	states := p.store.states
	state := states[p.draw(len(states), "state")]
	if len(state) == 0 {
		return
	}
	key := slices.Sorted(maps.Keys(state))[p.draw(len(state), "key")]
	switch p.draw(4, "kind of change") {
	case 0:
		p.T.Logf("somebody deletes %s", showKey(key))
		p.store.remove(key)
	case 1:
		p.T.Logf("somebody puts all back as it was")
		p.store.restore(state)
	default:
		p.T.Logf("somebody puts %s back", showKey(key))
		p.store.putBack(key, state[key])
	}
}

func (p *player) collect() {
	if p.draw(2, "where") == 0 {
		p.source.collect()
	} else {
		p.target.collect()
	}
}

func (p *player) hurryOn() { p.stopWaiting() }

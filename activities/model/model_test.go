package model

import (
	"flag"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

var wantedSteps = flag.Int("steps", 0, "how many steps random schedules take together at least; 0 is few")

// player plays a random schedule.
type player struct {
	*world
	*rapid.T
	steps int
	quiet bool              // no more listings are old ones
	held  map[*attempt]bool // those that are held up, and get no turn until they are released
}

// weights are how often each kind of step is taken.
var weights = []struct {
	share int
	step  func(*player)
}{
	{58, (*player).goOn},
	{9, (*player).workOnSource},
	{6, (*player).beginProducerCycle},
	{6, (*player).beginConsumerCycle},
	{5, (*player).letTimePass},
	{4, (*player).loseWorker},
	{2, (*player).holdUp},
	{3, (*player).release},
	{1, (*player).breakRequest},
	{2, (*player).meddle},
	{2, (*player).tamper},
	{1, (*player).collect},
	{1, (*player).hurryOn},
}

func (p *player) step(t *rapid.T) {
	p.T = t
	at := uniform(t, 100, "step")
	for _, w := range weights {
		if at -= w.share; at < 0 {
			w.step(p)
			break
		}
	}
	p.settle()
}

// settle waits until everybody waits, and looks at what has happened.
func (p *player) settle() {
	synctest.Wait()
	p.steps++
	if p.judge.violation != "" {
		p.T.Fatalf("%s", p.judge.violation)
	}
}

func (p *player) draw(n int, what string) int { return uniform(p.T, n, what) }

// uniform draws a number below n, each as often. Rapid's own ranges prefer the small ones, so that most requests would be those of
// whoever comes first, and few attempts would ever be held up for long.
func uniform(t *rapid.T, n int, what string) int {
	if n <= 1 {
		return 0
	}
	return rapid.Custom(func(t *rapid.T) (drawn int) {
		for range bits.Len(uint(n)) + 3 {
			drawn *= 2
			if rapid.Bool().Draw(t, "bit") {
				drawn++
			}
		}
		return drawn % n
	}).Draw(t, what)
}

// pick draws one of a few.
func pick[E any](t *rapid.T, what string, from ...E) E { return from[uniform(t, len(from), what)] }

// ready are the requests of attempts that are not held up.
func (p *player) ready() []*request {
	return slices.DeleteFunc(p.requests(), func(r *request) bool { return p.held[r.attempt] })
}

// goOn lets a request have its turn, and at times those that its workflow makes after it: else hardly any would get far.
func (p *player) goOn() {
	waiting := p.ready()
	if len(waiting) == 0 {
		return
	}
	r := waiting[p.draw(len(waiting), "request")]
	p.turn(r, outcome{})
	for range pick(p.T, "how far", 0, 0, 5, 40) {
		p.settle()
		waiting = p.ready()
		next := slices.IndexFunc(waiting, func(other *request) bool { return other.flow() == r.flow() })
		if next < 0 {
			return
		}
		p.turn(waiting[next], outcome{})
	}
}

func (p *player) turn(r *request, o outcome) {
	worker := 0
	if r.what == begins && r.worker < 0 {
		worker = p.draw(2, "worker")
	}
	if !p.quiet && p.settings.lagsFor(r) {
		o.lag = p.draw(8, "lag")
	}
	p.T.Logf("%s%s", r, o)
	p.world.turn(r, worker, o)
}

// refs are those that people move at the source.
func (p *player) refs() []string {
	if p.settings.second == "b" {
		return []string{"refs/heads/a", "refs/heads/b"}
	}
	return []string{"refs/heads/a", "refs/tags/v1", "refs/tags/v2", "refs/tags/v3"}
}

func (p *player) workOnSource() {
	refs := p.refs()
	ref := refs[p.draw(len(refs), "ref")]
	values := p.values(ref)
	switch kind := p.draw(8, "kind of move"); {
	case kind < 4 || len(values) == 0:
		p.world.commit(ref, []int{100, 2_000, 20_000, 100_000}[p.draw(4, "size")])
	case kind < 7: // back to where it was
		p.moveSource(ref, values[p.draw(len(values), "value")])
	default:
		p.moveSource(ref, "")
	}
	p.T.Logf("source: %s is at %q", ref, plan.Short(p.source.refs[ref]))
}

func (p *player) beginProducerCycle() { p.begin("P", p.producerCycle) }
func (p *player) beginConsumerCycle() { p.begin("C", p.consumerCycle) }

func (p *player) begin(name string, cycle func(string)) {
	p.cycles++
	name = fmt.Sprint(name, p.cycles)
	p.T.Logf("%s begins", name)
	p.flows.Go(func() { cycle(name) })
}

// drawSettings draws what differs between schedules.
func drawSettings(t *rapid.T) (s settings) {
	s.second = pick(t, "second", "b", "refs/tags/*")
	s.unsigned = uniform(t, 8, "unsigned") == 7
	for i := range s.ahead {
		s.ahead[i] = pick(t, "clock", 0, time.Second, -time.Second, 3*time.Minute, -3*time.Minute)
	}
	s.lagging = pick(t, "lagging", "", "", "Prune", "C")
	s.unsigned = s.unsigned && s.lagging != "C" // who is shown an old listing, and knows no catalog, believes it
	s.hostile = uniform(t, 4, "hostile") == 3 && s.lagging == "" && !s.unsigned
	if s.hostile { // who puts all back takes from the producer what it knows of its other worker's clock
		s.ahead[1] = s.ahead[0]
	}
	s.storeAhead = pick(t, "store's clock", 0, 10*time.Minute, -10*time.Minute)
	s.pageSize = pick(t, "page size", 1000, 1000, 3, 2)
	return s
}

// A rapid check has so many schedules, with so many steps on average before everything comes to its end.
const (
	fewSchedules, fewSteps   = 15, 40
	manySchedules, manySteps = 200, 100
)

// Whatever happens, and in whichever order, the destination only ever shows what its source was, nothing is deleted that is needed,
// nobody is alarmed, and in the end both sides are in step.
func TestRandomSchedules(t *testing.T) {
	t.Setenv("AWS_CA_BUNDLE", "")                         // the store is in memory
	schedules, average, seed := fewSchedules, fewSteps, 1 // the same each time
	if *wantedSteps > 0 {
		schedules, average, seed = manySchedules, manySteps, 0
	}
	for name, value := range map[string]int{"rapid.checks": schedules, "rapid.steps": average, "rapid.seed": seed} {
		if f := flag.Lookup(name); f.Value.String() == f.DefValue {
			require.NoError(t, f.Value.Set(fmt.Sprint(value)))
		}
	}
	k, folder, began := newKeys(t), t.TempDir(), time.Now()
	var played, steps int
	defer func() { t.Logf("%d schedules, %d steps, %s", played, steps, time.Since(began).Truncate(time.Second)) }()
	for again := true; again; again = steps < *wantedSteps {
		rapid.Check(t, func(t *rapid.T) {
			played++
			dir := filepath.Join(folder, fmt.Sprint(played))
			require.NoError(t, os.MkdirAll(dir, 0o700))
			rapid.SyncTest(t, func(t *rapid.T) {
				p := &player{T: t, world: newWorld(k, dir, drawSettings(t)), held: map[*attempt]bool{}}
				defer p.close()
				t.Logf("%+v", p.settings)
				t.Repeat(map[string]func(*rapid.T){"step": p.step})
				p.T = t
				p.end()
				steps += p.steps
			})
		})
	}
}

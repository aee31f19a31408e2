package statuspage

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/fleet"
)

// rowsPerPage bounds a page whatever a side has: it stays quick to load, and to scroll.
const rowsPerPage = 200

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	style string

	pageTemplate = template.Must(template.New("page").Parse(pageText))
	// styleHash allows this style and no other (CSP 2).
	styleHash = func() string {
		sum := sha256.Sum256([]byte(style))
		return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
	}()
)

// page is what the template shows.
type page struct {
	Style     template.CSS
	Role      string // "Producer"
	Namespace string
	Headline  string      // the answer at one glance
	Worst     fleet.State // or troubled
	Facts     []fact
	Notices   []notice
	Tiles     []tile
	Query     query
	Has       string // where the first of a row's two commits is; the second is the source's
	Rows      []row
	First     int // of Rows, from 1
	Found     int // on all pages
	More      int // that are known only as a number
	Last      int // page
}

// fact is something about the side, such as when its last cycle ended.
type fact struct {
	Name string
	When moment
	Then string // what follows the time
}

// tile is a state, and how many syncs are in it.
type tile struct {
	State  fleet.State // empty for all
	Word   string
	Count  int
	Chosen bool
	Query  query
}

// words are what the states are called.
var words = map[fleet.State]string{
	fleet.Failing: "failing", fleet.Never: "never arrived", fleet.Behind: "behind", fleet.Paused: "paused", fleet.InSync: "in sync",
}

// troubled is what a side is shown as if all of its syncs are in sync, but not all is well: the name of a sign of the template.
const troubled fleet.State = "notice"

func (h *Handler) writePage(body *bytes.Buffer, view fleet.View, q query) error {
	return pageTemplate.Execute(body, h.page(view, q))
}

func (h *Handler) page(view fleet.View, q query) page {
	now := h.Clock()
	all := counts(view, query{})
	p := page{
		Style: template.CSS(style), Role: title(view.Role), Namespace: h.Namespace, //nolint:gosec // it is our own file
		Facts: facts(view, now), Notices: notices(view, now),
		Query: q, Has: "Bucket", More: all.more,
	}
	if view.Role == "consumer" {
		p.Has = "Destination"
	}
	p.Headline, p.Worst = headline(all, isOld(view, now))
	if p.Worst == fleet.InSync && len(p.Notices) > 0 {
		p.Worst = troubled
	}
	p.Tiles = tiles(counts(view, q), q)
	found := q.find(view.Syncs)
	sortWorstFirst(found)
	p.Found = len(found)
	p.Last = max(1, (len(found)+rowsPerPage-1)/rowsPerPage)
	p.Query.Page = min(q.Page, p.Last) // what was on later pages may be repaired
	start := (p.Query.Page - 1) * rowsPerPage
	p.First = min(start+1, len(found))
	for _, s := range found[start:min(start+rowsPerPage, len(found))] {
		p.Rows = append(p.Rows, h.row(*s, now))
	}
	return p
}

// counted is how many syncs there are, by state. Of them, more are known only as a number.
type counted struct {
	of          map[fleet.State]int
	total, more int
}

// counts finds how many syncs have the words of the query, by state. Those that are known only as numbers have none.
func counts(view fleet.View, q query) counted {
	c := counted{of: map[fleet.State]int{}}
	q.State = ""
	for _, s := range q.find(view.Syncs) {
		c.of[s.State]++
		c.total++
	}
	if q.Words == "" {
		for state, n := range view.More {
			c.of[state] += n
			c.total, c.more = c.total+n, c.more+n
		}
	}
	return c
}

func tiles(c counted, q query) []tile {
	all := []tile{{"", "all", c.total, q.State == "", q.Of("")}}
	for _, state := range states {
		all = append(all, tile{state, words[state], c.of[state], q.State == state, q.Of(state)})
	}
	return all
}

// sortWorstFirst sorts by state, and within one by how long it has lasted: what has waited longest comes first.
func sortWorstFirst(syncs []*fleet.Sync) {
	slices.SortFunc(syncs, func(a, b *fleet.Sync) int {
		return cmp.Or(
			cmp.Compare(slices.Index(states, a.State), slices.Index(states, b.State)),
			since(a).Compare(since(b)),
			strings.Compare(a.Destination, b.Destination))
	})
}

// since is when the sync's troubles began, as far as that is known.
func since(s *fleet.Sync) time.Time {
	if s.BehindSince.IsZero() && s.Failure != nil {
		return s.Failure.Since
	}
	return s.BehindSince
}

func title(role string) string {
	role = name(role)
	if role == "" {
		return ""
	}
	return strings.ToUpper(role[:1]) + role[1:]
}

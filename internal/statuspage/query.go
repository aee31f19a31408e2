package statuspage

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// states are in the order in which they are shown: what needs a person first. A pause is a person's own.
var states = []fleet.State{fleet.Failing, fleet.Never, fleet.Behind, fleet.Paused, fleet.InSync}

// Bounds of a query: characters of the text, and seconds between two loads of a page.
const (
	maxWords               = 200
	minRefresh, maxRefresh = 5, 3600
)

// query is which syncs are to be shown, and how.
type query struct {
	Words   string      // all of them have to be in what is known of the sync; in any case
	State   fleet.State // empty for all
	Page    int         // from 1
	Refresh int         // seconds; 0 for never
}

// parseQuery refuses what it does not understand: another list than the wanted one would mislead.
func parseQuery(values url.Values) (q query, err error) {
	q = query{Words: foreign.Line(values.Get("q"), maxWords), State: fleet.State(values.Get("state"))}
	if q.State != "" && !slices.Contains(states, q.State) {
		return q, fmt.Errorf("state is %s, and none of %s", foreign.Quote(q.State, maxWords), join(states))
	}
	if q.Page, err = parseNumber(values, "page", 1, 1_000_000); err != nil {
		return q, err
	}
	q.Page = max(q.Page, 1)
	q.Refresh, err = parseNumber(values, "refresh", minRefresh, maxRefresh)
	return q, err
}

// parseNumber is 0 if it is not there.
func parseNumber(values url.Values, name string, least, most int) (int, error) {
	text := values.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s is %s, and no number from %d to %d", name, foreign.Quote(text, maxWords), least, most)
	}
	return n, nil
}

func join(states []fleet.State) string {
	var words []string
	for _, s := range states {
		words = append(words, string(s))
	}
	return strings.Join(words, ", ")
}

// String is the query's address relative to the page's own: a proxy may serve the page below a path.
func (q query) String() string {
	values := url.Values{}
	for name, value := range map[string]string{"q": q.Words, "state": string(q.State)} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Page > 1 {
		values.Set("page", strconv.Itoa(q.Page))
	}
	if q.Refresh > 0 {
		values.Set("refresh", strconv.Itoa(q.Refresh))
	}
	return "?" + values.Encode()
}

// Of and On are the same query for another state, from its first page on, and for another page.
func (q query) Of(state fleet.State) query { q.State, q.Page = state, 1; return q }
func (q query) On(page int) query          { q.Page = page; return q }

// Every is the same query with another time between two loads; 0 for never.
func (q query) Every(seconds int) query { q.Refresh = seconds; return q }

// Any is the same query for all words and states.
func (q query) Any() query { return query{Refresh: q.Refresh} }

// find returns the syncs that the query is for, in their order. They are the view's own, which others read, too.
func (q query) find(syncs []fleet.Sync) (found []*fleet.Sync) {
	words := strings.Fields(strings.ToLower(q.Words))
	for i := range syncs {
		if s := &syncs[i]; (q.State == "" || s.State == q.State) && hasAll(s, words) {
			found = append(found, s)
		}
	}
	return found
}

// hasAll tells whether each of the words is in what is known of the sync.
func hasAll(s *fleet.Sync, words []string) bool {
	if len(words) == 0 {
		return true
	}
	texts := []string{s.Destination, s.Source, s.Is}
	for _, f := range []*fleet.Failure{s.Failure, s.Producer} {
		if f != nil {
			texts = append(texts, f.Kind, f.Reason)
		}
	}
	if s.Pause != nil {
		texts = append(texts, s.Pause.By, s.Pause.Reason)
	}
	all := strings.ToLower(strings.Join(texts, "\n"))
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(all, word) })
}

package statuspage

import (
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/app-sre/git-partition-sync/internal/fleet"
)

var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `</title></style></svg><svg onload=alert(1)>`,
	`javascript:alert(1)`, `{{.Mask}}`, "two\nlines\r\nand\u2028more", "acme/\u202egnp.exe@main", "zero\u200bwidth\ufeff", "\x1b[31mred\x1b[0m\x07", "half a \xff character",
	strings.Repeat("long", 5_000), strings.Repeat("w i d e ", 5_000), `&lt;b&gt;`,
}

// hostileView has the text wherever others may put one.
func hostileView(text string) fleet.View {
	failure := &fleet.Failure{Kind: text, Since: now.Add(-time.Minute), Reason: text, Remedy: text}
	return fleet.View{
		Role: "consumer", ReadAt: now, CycleEnded: now, SchedulePaused: true, ScheduleNote: text,
		Failures: []fleet.SideFailure{{Subject: text, Failure: *failure}},
		Syncs: []fleet.Sync{{
			Destination: text, State: fleet.Failing, Source: text, Is: "x" + text, Failure: failure, Producer: failure,
			Pause: &fleet.Pause{Destination: text, Reason: text, By: text, Until: now.Add(time.Hour)}, Workflow: text,
		}},
	}
}

// outline is a page's elements with the names of their attributes.
func outline(t *testing.T, page string) (elements []string, links []string) {
	t.Helper()
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			require.ErrorIs(t, z.Err(), io.EOF)
			return elements, links
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			element := token.Data
			for _, a := range token.Attr {
				element += " " + a.Key
				if a.Key == "href" {
					links = append(links, a.Val)
				}
			}
			elements = append(elements, element)
		}
	}
}

// Whatever others say, the page has the elements and attributes that it has with harmless words.
func TestHostileWords(t *testing.T) {
	want, _ := outline(t, text(t, handlerOf(t, hostileView("word")), "/"))
	for _, words := range hostile {
		h := handlerOf(t, hostileView(words))
		page := text(t, h, "/")
		require.NotContains(t, page, "<script")
		elements, links := outline(t, page)
		if len(words) <= maxWorkflowID { // else there is no link
			require.Equal(t, want, elements, words)
		}
		for _, link := range links {
			require.Regexp(t, `^(\?|status\.json|#|data:image/svg\+xml,%3Csvg|https://temporal\.example\.com/namespaces/fedramp/workflows/[^/?#]+$)`, link, words)
		}
		require.Less(t, len(page), 40_000, words)
		requireClean(t, page)
		requireClean(t, text(t, h, "/status.json"))
	}
	// The same of what is asked for, which nothing on the page has.
	nothing, _ := outline(t, text(t, handlerOf(t, hostileView("word")), "/?q=nothing"))
	for _, words := range hostile {
		page := text(t, handlerOf(t, hostileView("word")), "/?q="+url.QueryEscape(words))
		elements, _ := outline(t, page)
		require.Equal(t, nothing, elements, words)
		requireClean(t, page)
	}
}

func requireClean(t *testing.T, page string) {
	t.Helper()
	require.True(t, utf8.ValidString(page))
	require.NotContains(t, page, "ZgotmplZ", "the template took something for dangerous")
	for _, r := range "\x1b\x07\u202e\u200b\u2028\ufeff" {
		require.NotContains(t, page, string(r))
	}
}

// What servers say may repeat a request.
func TestSecretsInWhatOthersSaid(t *testing.T) {
	view := consumerView()
	failure := &fleet.Failure{Kind: "GitAuthFailed", Reason: "no access to https://bot:glpat-very-secret-token@gitlab.example.com", Remedy: "do not use glpat-very-secret-token"}
	view.SchedulePaused, view.ScheduleNote = true, "glpat-very-secret-token"
	view.Failures = []fleet.SideFailure{{Subject: "bucket", Failure: *failure}}
	view.Syncs[0].Failure, view.Syncs[0].Producer = failure, failure
	view.Syncs[0].Pause = &fleet.Pause{Reason: "glpat-very-secret-token", Until: now}
	for _, target := range []string{"/", "/status.json"} {
		page := text(t, handlerOf(t, view), target)
		require.NotContains(t, page, "very-secret", target)
		require.Contains(t, page, "***@gitlab.example.com", target)
	}
}

// The same as JSON is one line for each text.
func TestHostileWordsAsJSON(t *testing.T) {
	var view fleet.View
	require.NoError(t, json.Unmarshal([]byte(text(t, handlerOf(t, hostileView("two\nlines \u202eand <b>")), "/status.json")), &view))
	s := view.Syncs[0]
	for _, got := range []string{s.Destination, s.Source, s.Failure.Kind, s.Failure.Reason, s.Failure.Remedy, s.Producer.Reason, s.Pause.Reason, s.Pause.By, s.Pause.Destination, s.Workflow, view.ScheduleNote, view.Failures[0].Subject, view.Failures[0].Remedy} {
		require.Equal(t, "two lines and <b>", got)
	}
}

// A query of any length is shown, and searched for, in part only.
func TestLongQuery(t *testing.T) {
	page := text(t, handlerOf(t, consumerView()), "/?q="+strings.Repeat("a", 500_000)+"&state=paused")
	require.Less(t, len(page), 30_000)
	body := text(t, handlerOf(t, consumerView()), "/?state="+strings.Repeat("a", 500_000))
	require.Less(t, len(body), 1_000)
}

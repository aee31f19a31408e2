package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// viewPatience is how long a worker may take to read how its syncs are.
const viewPatience = time.Minute // a first reading takes some seconds, and the next comes 15 s later

// One sync of each state, as both sides' pages tell them, and as a browser shows the consumer's.
func TestStatusPage(test *testing.T) {
	test.Parallel()
	t := begin(test)
	shas := oneOfEachState(t)
	address := map[stack.Role]string{} // of workers that were not there when it happened
	for _, role := range stack.Roles {
		address[role] = freeAddress(t)
		require.NoError(t, t.Workers[role].Stop())
		require.NoError(t, t.StartWorker(t.Context(), role, "STATUS_PAGE=true", "HEALTH_ADDRESS="+address[role]))
	}
	defer restartWorkers(t)

	want := map[stack.Role]map[string]fleet.State{
		stack.Producer: {
			"enclave/platform/console@main": fleet.InSync, "enclave/platform/proxy@main": fleet.InSync, "enclave/platform/router@main": fleet.InSync,
			"enclave/tools/charts@main": fleet.InSync, "enclave/tools/scanner@main": fleet.Failing,
		},
		stack.Consumer: {
			"enclave/platform/console@main": fleet.InSync, "enclave/platform/proxy@main": fleet.Failing, "enclave/platform/router@main": fleet.Behind,
			"enclave/tools/charts@main": fleet.Paused, "enclave/tools/scanner@main": fleet.Never,
		},
	}
	for _, role := range stack.Roles {
		require.EventuallyWithT(t, func(c *assert.CollectT) { assert.Equal(c, want[role], statesOf(readStatus(t, address[role]))) }, viewPatience, time.Second, role)
	}

	b := openBrowser(t)
	requested := watch(b)
	page := "http://" + address[stack.Consumer] + "/"
	b.run(chromedp.Navigate(page))
	b.awaitText("1 of 5 syncs fails, 1 never arrived, 1 is behind, 1 is paused")
	for _, text := range []string{
		"failing enclave/platform/proxy@main",
		"PushRefused for ",
		`server refused "refs/heads/main": not updated: pre-receive hook declined: GitLab: You are not allowed to push code to protected branches on this project.`,
		"Let the token's user push to the branch or tag: protected branches and tags, push rules and hooks of the destination decide.",
		shas["router"][0][:7] + " → " + shas["router"][1][:7],
		"never arrived enclave/tools/scanner@main ",
		" at the producer for ",
		"the release is frozen",
		"seen in sync ",
	} {
		b.awaitText(text)
	}
	b.fits(windowWidth, "status-page")
	b.fits(820, "")
	b.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}))
	b.fits(390, "status-page-phone")
	b.fits(windowWidth, "")

	b.run(chromedp.SendKeys("#q", "PROXY"))
	_, err := chromedp.RunResponse(b.tab, chromedp.Submit("#q")) // it waits for the next page
	require.NoError(t, err)
	b.await("the proxy alone", `document.querySelectorAll("tbody tr").length == 1 && location.search.includes("q=PROXY")`)
	require.Subset(t, []string{page, page + "?q=PROXY&state="}, requested(), "nothing else is asked for, and nothing is complained of")
	var link string
	b.run(chromedp.AttributeValue("tbody a", "href", &link, nil))
	b.run(chromedp.Navigate(link))
	b.awaitText("Event History")
	b.awaitText(consumeID("enclave/platform/proxy@main"))
}

// oneOfEachState has a sync of each state on the consumer's side, and returns the commits of their sources.
func oneOfEachState(t sides) (shas map[string][]string) {
	t.Helper()
	shas = map[string][]string{}
	var pairs [][2]string
	move := func(paths ...string) {
		for _, path := range paths {
			_, name, _ := strings.Cut(path, "/")
			shas[name] = append(shas[name], commit(t, path+"@main"))
		}
	}
	for _, path := range []string{"platform/console", "platform/proxy", "platform/router", "tools/charts"} {
		pairs = append(pairs, [2]string{path + "@main", "enclave/" + path + "@main"})
		create(t, t.Destination, "enclave/"+path)
		move(path)
	}
	configure(t, pairs...)
	cycle(t, stack.Producer)
	cycle(t, stack.Consumer)

	pause(t, fleet.Pause{Destination: "enclave/tools/charts@main", By: "ann", Reason: "the release is frozen", Until: time.Now().Add(2 * time.Hour)})
	protect(t, "enclave/platform/proxy")
	move("platform/proxy", "tools/charts")
	cycle(t, stack.Producer)
	failingCycle(t, stack.Consumer)

	configure(t, append(pairs, [2]string{"tools/scanner@main", "enclave/tools/scanner@main"})...)
	move("platform/router")
	failingCycle(t, stack.Producer) // of the scanner, there is no source
	return shas
}

// pause pauses a sync of the consumer's.
func pause(t sides, p fleet.Pause) {
	t.Helper()
	_, err := t.Temporal.Clients[stack.Consumer].ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: contract.Consumer.PauseID(branch(p.Destination)), TaskQueue: contract.Consumer.TaskQueue, Memo: contract.PauseMemo(p),
	}, contract.Pause, p)
	require.NoError(t, err)
}

// readStatus reads how a worker says that its syncs are; empty if it does not say.
func readStatus(t testing.TB, address string) (view fleet.View) {
	t.Helper()
	answer, err := http.Get("http://" + address + "/status.json")
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusServiceUnavailable {
		require.Equal(t, http.StatusOK, answer.StatusCode)
		require.NoError(t, json.NewDecoder(answer.Body).Decode(&view))
	}
	return view
}

func statesOf(view fleet.View) map[string]fleet.State {
	states := map[string]fleet.State{}
	for _, s := range view.Syncs {
		states[s.Destination] = s.State
	}
	return states
}

// watch returns what the browser has asked for since, and what it has complained of, such as a style that is not allowed.
func watch(b browser) (requested func() []string) {
	var mu sync.Mutex
	var all []string
	chromedp.ListenTarget(b.tab, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(e.Request.URL, "data:") { // the page's own sign
				all = append(all, e.Request.URL)
			}
		case *log.EventEntryAdded:
			all = append(all, e.Entry.Text)
		}
	})
	b.run(network.Enable(), log.Enable())
	return func() []string { mu.Lock(); defer mu.Unlock(); return all }
}

// fits requires that nothing of the page is cut off at a width, and takes a picture of all of it.
func (b browser) fits(width int64, picture string) {
	b.Helper()
	b.run(chromedp.EmulateViewport(width, 700))
	var size []int64
	b.run(chromedp.Evaluate(`[document.documentElement.scrollWidth, document.documentElement.scrollHeight]`, &size))
	require.LessOrEqual(b, size[0], width, "the page has to be scrolled sideways at %d pixels", width)
	var cut []string
	b.run(chromedp.Evaluate(`[...document.querySelectorAll("th, td, a, p, h1, h2, input, select, button, time, code")]
		.filter(e => !e.closest("thead") || getComputedStyle(e.closest("thead")).position == "static")
		.filter(e => { const r = e.getBoundingClientRect(); return r.right > innerWidth || e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1 }).map(e => e.outerHTML)`, &cut))
	require.Empty(b, cut, fmt.Sprint(width))
	if picture != "" {
		b.run(chromedp.EmulateViewport(width, size[1]))
		b.screenshot(picture)
	}
}

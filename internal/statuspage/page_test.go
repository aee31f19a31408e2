package statuspage

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/fleet"
)

func TestRowsAreSortedWorstFirst(t *testing.T) {
	page := shown(text(t, handlerOf(t, consumerView()), "/"))
	_, table, found := strings.Cut(page, "What is known Temporal ")
	require.True(t, found)
	require.Equal(t, strings.Join([]string{
		"failing enclave/platform/proxy@main 3 hours 3f2a9c4 → 9be01d7 PushRefused for 2 hours server refused &#34;refs/heads/main&#34;: not updated: pre-receive hook declined: GitLab: You are not allowed to push code to protected branches on this project. Let the token&#39;s user push to the branch or tag: protected branches and tags, push rules and hooks of the destination decide. runs",
		"never arrived enclave/tools/scanner@refs/* 9 minutes nothing → 9be01d7 GitAuthFailed at the producer for 9 minutes runs",
		"behind enclave/platform/router@release-* 40 seconds 3f2a9c4 → 9be01d7 runs",
		"paused enclave/tools/charts@main at least 1 day 3f2a9c4 → 9be01d7 Paused by ann@ops, until 1 hour from now : the release is frozen runs",
		"in sync enclave/platform/console@main 9be01d7 seen in sync 2 minutes ago runs",
		"Load anew every 30 s · the same as JSON",
	}, " "), table)
	require.Contains(t, page, "Git Partition Sync · Consumer · namespace fedramp")
	require.Contains(t, page, "Read 12 seconds ago , at 10:31:59 UTC Last cycle ended 2 minutes ago , took 4s Catalog made 1 minute ago")
}

// What is short is there in full, too.
func TestExactTimesCommitsAndLinks(t *testing.T) {
	page := text(t, handlerOf(t, consumerView()), "/")
	require.Contains(t, page, `<time datetime="2026-03-14T07:32:11Z" title="2026-03-14 07:32:11 UTC">3 hours</time>`)
	require.Contains(t, page, `<code title="`+older+`">3f2a9c4</code>`)
	require.Contains(t, page, `<a href="https://temporal.example.com/namespaces/fedramp/workflows/consume%2Fenclave%2Fplatform%2Fproxy@main" aria-label="runs of enclave/platform/proxy@main">`)

	h := handlerOf(t, consumerView())
	h.UI = config.UI{}
	require.NotContains(t, text(t, h, "/"), "runs of", "nobody has said where the UI is")
}

func TestWhatConcernsTheWholeSide(t *testing.T) {
	all := func(state fleet.State, n int) (syncs []fleet.Sync) {
		for range n {
			syncs = append(syncs, fleet.Sync{Destination: "acme/app@main", State: state})
		}
		return syncs
	}
	for name, tt := range map[string]struct {
		change        func(*fleet.View)
		headline, say string
	}{
		"all is well":     {func(*fleet.View) {}, "All 2 syncs are in sync", ""},
		"one":             {func(v *fleet.View) { v.Syncs = all(fleet.InSync, 1) }, "The only sync is in sync", ""},
		"none":            {func(v *fleet.View) { v.Syncs = nil }, "No syncs are known", "There is no sync to show."},
		"behind":          {func(v *fleet.View) { v.Syncs = all(fleet.Behind, 3) }, "3 of 3 syncs are behind", ""},
		"numbers":         {func(v *fleet.View) { v.More = map[fleet.State]int{fleet.Failing: 1200} }, "1,200 of 1,202 syncs fail", "1,200 more are only counted above"},
		"paused schedule": {func(v *fleet.View) { v.SchedulePaused, v.ScheduleNote = true, "moving house" }, "All 2 syncs were in sync when a cycle last looked", "The schedule is paused moving house starter schedule unpause starts cycles again"},
		"no schedule":     {func(v *fleet.View) { v.Scheduled = false }, "All 2 syncs were in sync when a cycle last looked", "No cycle starts by itself There is neither a schedule nor a cron workflow. starter schedule create"},
		"no cycle":        {func(v *fleet.View) { v.CycleEnded = time.Time{} }, "All 2 syncs were in sync when a cycle last looked", "No complete cycle is known yet"},
		"no cycle for long": {
			func(v *fleet.View) { v.CycleEnded = now.Add(-5 * time.Hour) }, "All 2 syncs were in sync when a cycle last looked",
			"No complete cycle has ended for 5 hours starter schedule describe",
		},
		"a failure": {
			func(v *fleet.View) {
				v.Failures = []fleet.SideFailure{{Subject: "catalog", Failure: fleet.Failure{Kind: "CatalogStale", Since: now.Add(-time.Hour), Reason: "it is old", Remedy: "look at the producer"}}}
			}, "All 2 syncs are in sync", "catalog: CatalogStale for 1 hour it is old look at the producer",
		},
		"what the bucket holds": {
			func(v *fleet.View) {
				v.Bucket = fleet.BucketUse{Snapshots: fleet.Use{Objects: 2, Bytes: 5_000_000}, LFS: fleet.Use{Objects: 1, Bytes: 1_000_000}}
			}, "All 2 syncs are in sync", "Bucket 6.0 MB in 3 objects",
		},
	} {
		t.Run(name, func(t *testing.T) {
			view := consumerView()
			view.Syncs = all(fleet.InSync, 2)
			tt.change(&view)
			page := text(t, handlerOf(t, view), "/")
			require.Contains(t, page, "<span>"+tt.headline+"</span></h1>")
			require.Contains(t, shown(page), tt.say)
			troubled := len(view.Failures) > 0 || !view.Scheduled || strings.Contains(tt.headline, "when")
			require.Equal(t, troubled, strings.Contains(page, "<title>! "), "a tab tells")
			require.Equal(t, troubled, strings.Contains(page, `<h1 class="notice">`), "and no green sign over a red one")
		})
	}
}

func TestQueries(t *testing.T) {
	h := handlerOf(t, consumerView())
	for query, want := range map[string][]string{
		"":                          {"proxy", "scanner", "router", "charts", "console"},
		"?q=&state=":                {"proxy", "scanner", "router", "charts", "console"}, // as the form sends it
		"?state=never_arrived":      {"scanner"},
		"?q=TOOLS":                  {"scanner", "charts"},
		"?q=main+platform":          {"proxy", "console"},
		"?q=pushrefused":            {"proxy"},
		"?q=GitAuth":                {"scanner"},
		"?q=frozen":                 {"charts"},
		"?q=9be01d77&state=in_sync": {"console"},
		"?q=%00pro%1b[1mxy":         {"proxy"},
		"?q=nowhere":                nil,
		"?page=9":                   {"proxy", "scanner", "router", "charts", "console"},
	} {
		page := text(t, h, "/"+query)
		var got []string
		for _, s := range []string{"proxy", "scanner", "router", "charts", "console"} {
			if strings.Contains(page, `<th scope="row" role="rowheader">enclave/`) && strings.Contains(page, "runs of enclave/platform/"+s) || strings.Contains(page, "runs of enclave/tools/"+s) {
				got = append(got, s)
			}
		}
		require.Equal(t, want, got, query)
		require.Equal(t, want == nil, strings.Contains(page, "No sync is like that."), query)
	}
	page := text(t, h, "/?q=TOOLS&state=paused&refresh=60")
	require.Contains(t, page, `value="TOOLS"`)
	require.Contains(t, page, `<option value="paused" selected>`)
	require.Contains(t, page, `<input type="hidden" name="refresh" value="60">`, "the form asks for the same")
	require.Contains(t, page, `<a href="?refresh=60">Show all</a>`)
	require.Contains(t, page, `<a href="status.json?q=TOOLS&amp;state=paused">`)
	require.Contains(t, page, `<a href="?q=TOOLS&amp;refresh=60&amp;state=never_arrived" class="tile never_arrived"><b>1</b>`, "counted are those with the words")
	require.Contains(t, page, `<a href="?q=TOOLS&amp;refresh=60" class="tile all"><b>2</b>`)
	require.Contains(t, page, `class="tile paused" aria-current="true"><b>1</b>`)
	require.Contains(t, page, `class="tile failing none"><b>0</b>`)
}

// Each sync is on one page, in the order of the whole.
func TestPages(t *testing.T) {
	h := handlerOf(t, manyView(2*rowsPerPage+50))
	seen := 0
	for page, want := range map[string]string{"1": "1 to 200 of 450 syncs", "2": "201 to 400 of 450 syncs", "3": "401 to 450 of 450 syncs"} {
		body := text(t, h, "/?page="+page)
		require.Contains(t, body, want+", worst first")
		require.Contains(t, body, "page "+page+" of 3")
		require.Equal(t, page != "1", strings.Contains(body, "previous"), page)
		require.Equal(t, page != "3", strings.Contains(body, "next"), page)
		require.Equal(t, page == "1", strings.Contains(body, `<tr role="row" class="failing">`), page)
		seen += strings.Count(body, `<th scope="row"`)
	}
	require.Equal(t, 2*rowsPerPage+50, seen)
	require.Contains(t, text(t, h, "/?q=project&page=2"), `<a rel="next" href="?page=3&amp;q=project">`)
	require.NotContains(t, text(t, handlerOf(t, manyView(rowsPerPage)), "/"), `class="pages"`)
}

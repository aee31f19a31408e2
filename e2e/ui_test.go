package e2e_test

import (
	"flag"
	"fmt"
	"net/url"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// The screenshots of docs/operations.md, made anew with a fresh server's few workflows:
//
//	go test ./e2e -run 'TestOperatorInTheBrowser|TestStatusPage' -screenshots
var screenshots = flag.Bool("screenshots", false, "have tests with a browser write the screenshots of docs/operations.md")

const imageDir = "../docs/images"

// What is open on the page.
const dialog = `document.querySelector('dialog[open]')`

func (b browser) openList(query string) {
	b.Helper()
	b.run(chromedp.Navigate(b.Temporal.UI + "/namespaces/" + string(stack.Consumer) + "/workflows?query=" + url.QueryEscape(query)))
}

// follow clicks the first link in the list with this text.
func (b browser) follow(workflow string) {
	b.Helper()
	b.click(visible("table a", workflow), `location.pathname.endsWith("/history")`)
	b.awaitText("Event History")
}

// choose picks an event in the open Reset dialog. On a busy machine the page may close the list before it has heard what was
// picked: it is opened again then.
func (b browser) choose(event string) {
	b.Helper()
	option, list := visible("dialog[open] li[role=option]", event), visible("dialog[open] button[aria-haspopup=true]", "")
	b.click(fmt.Sprintf("(%s ?? %s)", option, list), `!document.querySelector('dialog[open] button[type=submit]').disabled`)
}

func TestOperatorInTheBrowser(test *testing.T) {
	test.Parallel()
	t := begin(test)
	pairs := [][2]string{}
	for _, name := range []string{"console", "proxy", "router"} {
		pairs = append(pairs, [2]string{"platform/" + name + "@main", "enclave/platform/" + name + "@main"})
		commit(t, "platform/"+name+"@main")
		create(t, t.Destination, "enclave/platform/"+name)
	}
	configure(t, pairs...)
	starter(t, stack.Consumer, "setup")
	cycle(t, stack.Producer)
	cycle(t, stack.Consumer)
	b := openBrowser(t)
	b.openList(`WorkflowId = "consumer-sync-once"`)
	b.follow("consumer-sync-once")
	b.awaitText("enclave/platform/router@main: created at ")
	b.screenshot("healthy")

	const destination = "enclave/platform/proxy@main"
	protect(t, "enclave/platform/proxy")
	sha := commit(t, "platform/proxy@main")
	cycle(t, stack.Producer)
	failingCycle(t, stack.Consumer)

	b.openList(`SyncOutcome = "failed" AND SyncDestination = ` + strconv.Quote(destination))
	b.awaitText("1 Failed")
	b.screenshot("failed")
	b.follow(consumeID(destination))
	b.awaitText(`server refused \"refs/heads/main\": not updated: pre-receive hook declined: GitLab: You are not allowed to push code to protected branches on this project.`)
	b.awaitText(`Let the token's user push to the branch or tag: protected branches and tags, push rules and hooks of the destination decide.`)
	b.awaitText(`"type": "PushRefused"`)
	b.screenshot("error")

	unprotect(t, "enclave/platform/proxy")
	b.click(visible("button", "Reset"), dialog)
	b.choose("4 - WorkflowTaskCompleted")
	b.run(chromedp.SendKeys("dialog[open] #reset-reason", "the branch is no longer protected"))
	b.screenshot("reset")
	require.NotEqual(t, sha, arrived(t, destination))
	b.click(visible("dialog[open] button[type=submit]", "Confirm"), "!"+dialog)
	awaitHead(t, destination, sha)
	requireInSync(t, len(pairs))

	b.openList(`SyncOutcome = "synced" AND SyncDestination = ` + strconv.Quote(destination))
	b.follow(consumeID(destination)) // the newest comes first
	b.awaitText("Completed")
	b.awaitText(sha)
	b.screenshot("retried")
}

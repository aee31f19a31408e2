package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// Size of the window, and so of the screenshots, in pixels.
const windowWidth, windowHeight = 1280, 900

// browser is a headless Chromium with one tab.
type browser struct {
	sides
	tab context.Context
}

func openBrowser(t sides) browser {
	t.Helper()
	binary, err := exec.LookPath("chromium")
	if errors.Is(err, exec.ErrNotFound) {
		require.FailNow(t, "this test needs Chromium: install the Debian package chromium")
	}
	require.NoError(t, err)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(binary),
		chromedp.NoSandbox, // the sandbox does not run as root, as a build does; the pages are our own server's
		chromedp.WindowSize(windowWidth, windowHeight))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	quiet := func(string, ...any) {} // events that are newer than the library
	tab, closeTab := chromedp.NewContext(allocator, chromedp.WithErrorf(quiet))
	t.Cleanup(closeTab)
	b := browser{t, tab}
	b.run(chromedp.EmulateViewport(windowWidth, windowHeight))
	return b
}

func (b browser) run(actions ...chromedp.Action) {
	b.Helper()
	require.NoError(b, chromedp.Run(b.tab, actions...))
}

// await evaluates a JavaScript expression in the page until it is true.
func (b browser) await(what, expression string) {
	b.Helper()
	var text string
	err := chromedp.Run(b.tab, chromedp.Poll(expression, nil, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(30*time.Second)))
	if err != nil {
		_ = chromedp.Run(b.tab, chromedp.Evaluate("document.body.innerText", &text))
	}
	require.NoError(b, err, "waiting for %s on this page:\n%s", what, text)
}

// awaitText waits until the page shows a text, however it is broken into lines.
func (b browser) awaitText(text string) {
	b.Helper()
	b.await(text, fmt.Sprintf(`document.body.innerText.replace(/\s+/g, ' ').includes(%s)`, strconv.Quote(text)))
}

// visible is a JavaScript expression for what matches a selector, has this text and can be seen.
func visible(selector, text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(%s)].find(e => e.offsetParent && e.innerText.includes(%s))`,
		strconv.Quote(selector), strconv.Quote(text))
}

// click clicks an element, more than once while the page is not ready for it, until an
// expression is true.
func (b browser) click(element, until string) {
	b.Helper()
	b.await(until, fmt.Sprintf(`(() => { if (!(%[2]s)) { %[1]s?.click() } return %[2]s })()`, element, until))
}

// screenshot is taken when the test was asked to.
func (b browser) screenshot(name string) {
	b.Helper()
	if !*screenshots {
		return
	}
	var png []byte
	b.run(chromedp.Sleep(time.Second), chromedp.CaptureScreenshot(&png)) // for what is still moving
	require.NoError(b, os.MkdirAll(imageDir, 0o755))
	require.NoError(b, os.WriteFile(filepath.Join(imageDir, name+".png"), png, 0o644))
}

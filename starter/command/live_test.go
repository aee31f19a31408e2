package command

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// atWorkIDs are children of which the names are as long as they are at large sites.
var atWorkIDs = []string{
	"consume/enclave/platform/infrastructure/proxy-configuration@main",
	"consume/enclave/platform/router@release-2026-11",
	"consume/enclave/platform/caf%C3%A9@main",
}

// cycleAtWork has a cycle with children that push, and of which one is done and one has failed. It ends by a signal.
func cycleAtWork(t *testing.T, namespace string) (end func()) {
	t.Helper()
	c := temporalOf(t, namespace)
	parent := func(ctx workflow.Context, _ contract.CycleInput) (contract.Report, error) {
		r := contract.Report{Checked: 5, Synced: []string{"enclave/done@main: 1 commit"}}
		r.Fail(plan.Failure{Subject: "enclave/refused@main", Kind: "PushRefused", Reason: "the branch is protected\nAllow it."})
		err := workflow.SetQueryHandler(ctx, contract.QueryStatus, func() (contract.Status, error) {
			return contract.Status{Step: "2 of 5 syncs done, 3 at work, 1 failed", Report: &r, AtWork: atWorkIDs}, nil
		})
		if err != nil {
			return r, err
		}
		for _, id := range atWorkIDs {
			workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: id}), contract.Consumer.Child)
		}
		workflow.GetSignalChannel(ctx, "end").Receive(ctx, nil)
		return r, r.Err()
	}
	child := func(ctx workflow.Context) error {
		return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Hour, HeartbeatTimeout: time.Minute}), "Push").Get(ctx, nil)
	}
	push := func(ctx context.Context) error {
		activity.RecordHeartbeat(ctx, activities.Progress{Done: 50e6, Total: 263e6, Rate: 12e6, ETA: 18})
		select {
		case <-ctx.Done():
		case <-activity.GetWorkerStopChannel(ctx):
		}
		return nil
	}
	cycleOf(t, c, parent, child, map[string]any{"Push": push})
	return func() {
		t.Helper()
		require.NoError(t, c.SignalWorkflow(t.Context(), "consumer-sync-once", "", "end", nil))
	}
}

// On a terminal each sync at work is shown with bytes, rate and the time that is left; what is done and failed as it comes; and in
// the end the report, without what has been shown.
func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	end := cycleAtWork(t, "live")
	p := startAt(t, 80, 24, []string{"NO_COLOR=1"}, "live", "run")
	p.await(&p.out, "router@release-2026-11  push  50 MB of 263 MB")
	p.await(&p.out, "  enclave/platform/café@main  push  50 MB of 263 MB  12 MB/s  18s left\r\n")
	p.await(&p.out, "synced enclave/done@main: 1 commit\r\n")
	p.await(&p.out, "failed enclave/refused@main: the branch is protected (PushRefused)\r\n")
	end()
	require.Equal(t, exitFailed, p.exit())
	text := p.out.String()
	require.Equal(t, 1, strings.Count(text, "synced enclave/done@main"), text)
	require.Contains(t, text, "failed enclave/refused@main: the branch is protected\r\n       Allow it. (PushRefused)\r\n")
	require.Contains(t, text, "enclave/platform/infra", "the long name is cut in its middle")
	for line := range strings.SplitSeq(withoutEscapes(text), "\n") {
		if strings.Contains(line, "push  50 MB") {
			require.Less(t, runewidth.StringWidth(strings.TrimSpace(line)), 80, line)
		}
	}
	require.NotContains(t, text[strings.LastIndex(text, "\x1b[J"):], "at work", "the block is gone")
}

// Elsewhere there are lines, without anything for terminals, and the report has all of it.
func TestProgressElsewhere(t *testing.T) {
	t.Parallel()
	end := cycleAtWork(t, "lines")
	p := start(t, "lines", "run")
	p.await(&p.err, "... 2 of 5 syncs done, 3 at work, 1 failed\n")
	p.await(&p.err, "failed enclave/refused@main: the branch is protected (PushRefused)\n")
	quiet := start(t, "lines", "run", "-q")
	json := start(t, "lines", "run", "-o", "json")
	verbose := start(t, "lines", "run", "-o", "json", "-v")
	verbose.await(&verbose.err, "... 2 of 5 syncs done")
	for _, other := range []*process{quiet, json} {
		other.await(&other.err, "waits for that one")
	}
	end()
	for _, p := range []*process{p, quiet, json, verbose} {
		require.Equal(t, exitFailed, p.exit())
		require.NotContains(t, p.out.String()+p.err.String(), "\x1b")
	}
	require.Contains(t, p.out.String(), "synced enclave/done@main: 1 commit\n")
	for _, other := range []*process{quiet, json} {
		require.NotContains(t, other.err.String(), "syncs done")
	}
}

// Colours are for terminals, and for those who want them.
func TestColours(t *testing.T) {
	t.Parallel()
	temporalOf(t, "words")
	for _, test := range []struct {
		environ  []string
		coloured bool
	}{{nil, true}, {[]string{"NO_COLOR=1"}, false}, {[]string{"TERM=dumb"}, false}} {
		p := startAt(t, 80, 24, test.environ, "words", "schedule", "describe")
		require.Equal(t, exitFailed, p.exit())
		require.Equal(t, test.coloured, strings.Contains(p.out.String(), "\x1b[31mstarter:\x1b[0m consumer-sync is not scheduled"), p.out.String())
		require.Equal(t, test.coloured, strings.Contains(p.out.String(), "\x1b"))
	}
	p := start(t, "words", "schedule", "describe")
	require.Equal(t, exitFailed, p.exit())
	require.NotContains(t, p.err.String(), "\x1b")
}

var escapes = regexp.MustCompile(`\x1b\[\d*[A-Z]|\r`)

func withoutEscapes(text string) string { return escapes.ReplaceAllString(text, "") }

// However narrow the terminal is, no line is longer, and both ends of the name stay as long as there is room.
func TestLinesFit(t *testing.T) {
	t.Parallel()
	at := syncAtWork{name: "enclave/platform/infrastructure/proxy@main", step: "push", Progress: activities.Progress{Done: 50e6, Total: 263e6, Rate: 12e6, ETA: 18}}
	for width, want := range map[int]string{
		120: "  enclave/platform/infrastructure/proxy@main  push  50 MB of 263 MB  12 MB/s  18s left",
		80:  "  enclave/platform/infrastructure/proxy@main  push  50 MB of 263 MB  18s left",
		60:  "  enclave/platform/infrastructure/proxy@main  push 19%",
		50:  "  enclave/platform/infrastructure/proxy@main  19%",
		40:  "  enclave/platfo…re/proxy@main  push 19%",
		20:  "  enclav…y@main  19%",
	} {
		require.Equal(t, want, at.line(width))
	}
	for width := range 200 {
		require.LessOrEqual(t, runewidth.StringWidth(at.line(width)), max(width, 8), width)
	}
	at.trouble = "attempt 3: the server does not answer"
	require.Equal(t, "  enclave/platform/infrastructure/proxy@main  push  attempt 3: the server does not …", at.line(84))
	require.Equal(t, "  enclave/platform/infrastructure/proxy@main  push", syncAtWork{name: at.name, step: "push"}.line(80))
	require.Equal(t, "漢字…@main", cutMiddle("漢字漢字漢字@main", 10))
}

// A block is as high as the terminal at most, what is printed meanwhile stands above it, and lines that a narrower terminal has
// wrapped go, too.
func TestLiveBlock(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	width, height := 10, 3
	l := &live{w: &out, size: func() (int, int) { return width, height }}
	l.show([]string{"123456789", "b", "c"})
	require.Equal(t, "123456789\nb\n", out.String())
	out.Reset()
	width = 5
	l.show([]string{"a"})
	require.Equal(t, "\x1b[3A\r\x1b[Ja\n", out.String())
	out.Reset()
	l.print(func(w io.Writer) { _, _ = w.Write([]byte("above\n")) })
	require.Equal(t, "\x1b[1A\r\x1b[Jabove\na\n", out.String())
	out.Reset()
	l.show(nil)
	l.show(nil)
	require.Equal(t, "\x1b[1A\r\x1b[J", out.String())
}

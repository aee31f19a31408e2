package smarthttp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

func TestReport(t *testing.T) {
	const ref = "refs/heads/main"
	for name, tt := range map[string]struct{ report, err string }{
		"updated":          {report: wire("unpack ok\n", "ok "+ref+"\n", "")},
		"refused":          {report: wire("unpack ok\n", "ng "+ref+" hook\x1b[1m declined\n", ""), err: `refused "refs/heads/main": not updated: hook declined`},
		"no reason":        {report: wire("unpack ok\n", "ng "+ref+" \n", ""), err: `refused "refs/heads/main": not updated:`},
		"not unpacked":     {report: wire("unpack index-pack failed\n", "ng "+ref+" unpacker error\n", ""), err: "unpack failed: index-pack failed"},
		"about another":    {report: wire("unpack ok\n", "ok "+ref+"-2\n", ""), err: "did not report whether"},
		"malformed":        {report: wire("un\x07pack"), err: "malformed push report: malformed unpack status: unpack"},
		"no flush":         {report: wire("unpack ok\n", "ok "+ref+"\n"), err: "malformed push report: missing flush"},
		"more than enough": {report: wire("unpack ok\n") + strings.Repeat(wire("ok "+ref+"\n"), 5000) + wire(""), err: "malformed push report"},
	} {
		t.Run(name, func(t *testing.T) {
			err := readReport(newPktReader(strings.NewReader(inBand(tt.report)), nil), updatesOf(ref))
			if tt.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.err)
			require.Equal(t, err.Error(), foreign.Line(err.Error(), 1000))
		})
	}
	t.Run("of many refs", func(t *testing.T) {
		var refs, lines []string
		for i := range 3000 {
			refs = append(refs, fmt.Sprintf("%s/%d", ref, i))
			lines = append(lines, "ok "+refs[i]+"\n")
		}
		report := wire("unpack ok\n") + wire(append(lines, "")...)
		require.Greater(t, len(report), maxReport)
		require.NoError(t, readReport(newPktReader(strings.NewReader(inBand(report)), nil), updatesOf(refs...)))
	})
	t.Run("cut", func(t *testing.T) {
		err := readReport(newPktReader(strings.NewReader(wire("\x02working\n", "\x01"+wire("unpack ok\n"))), nil), updatesOf(ref))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.ErrorContains(t, err, "working")
	})
	t.Run("no trailing line needed", func(t *testing.T) {
		report := wire("\x01"+wire("unpack ok\n", "ok "+ref+"\n", ""), "\x02post-receive: bye\n")
		require.NoError(t, readReport(newPktReader(strings.NewReader(report), nil), updatesOf(ref)), "the report is final")
	})
}

// Only the first command has the capabilities (gitprotocol-pack(5)), and a transaction is asked for only where it is needed.
func TestCommands(t *testing.T) {
	const main, guard = hashA + " " + hashB + " refs/heads/main", hashA + " " + hashB + " refs/sync/1"
	const caps = "\x00 report-status side-band-64k agent=a/1"
	update := func(ref string) RefUpdate { return RefUpdate{Ref: ref, Old: hashA, New: hashB} }
	for _, tt := range []struct {
		request PushRequest
		want    string
	}{
		{PushRequest{Updates: []RefUpdate{update("refs/heads/main")}}, wire(main+caps, "")},
		{PushRequest{Updates: []RefUpdate{update("refs/heads/main")}, Atomic: true}, wire(main+caps+" atomic", "")},
		{PushRequest{Updates: []RefUpdate{update("refs/heads/main"), update("refs/sync/1")}}, wire(main+caps+" atomic", guard, "")},
	} {
		commands, size, err := (&Client{options: Options{Agent: "a/1"}}).commands(tt.request)
		require.NoError(t, err)
		require.EqualValues(t, len(tt.want), size)
		require.NoError(t, iotest.TestReader(commands, []byte(tt.want)))
	}
}

// Each of the refs counts, and the one that stopped a transaction is named rather than those that it took along.
func TestReportOfSeveralRefs(t *testing.T) {
	const branch, guard = "refs/heads/main", "refs/sync/1"
	for name, tt := range map[string]struct {
		statuses    []string
		ref, reason string
	}{
		"all updated":          {statuses: []string{"ok " + branch, "ok " + guard}},
		"in another order":     {statuses: []string{"ok " + guard, "ok " + branch}},
		"the first refused":    {[]string{"ng " + branch + " hook declined", "ng " + guard + " atomic push failure"}, branch, "hook declined"},
		"the second refused":   {[]string{"ng " + branch + " atomic push failure", "ng " + guard + " hook declined"}, guard, "hook declined"},
		"only the second":      {[]string{"ok " + branch, "ng " + guard + " hook declined"}, guard, "hook declined"},
		"both for a reason":    {[]string{"ng " + branch + " protected", "ng " + guard + " hidden"}, branch, "protected"},
		"nothing of the other": {statuses: []string{"ok " + branch}, reason: `did not report whether it updated "refs/sync/1"`},
	} {
		t.Run(name, func(t *testing.T) {
			report := wire(append(append([]string{"unpack ok"}, tt.statuses...), "")...)
			err := readReport(newPktReader(strings.NewReader(inBand(report)), nil), updatesOf(branch, guard))
			var refused *RefusedError
			if tt.reason == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.reason)
			require.Equal(t, tt.ref != "", errors.As(err, &refused))
			if refused != nil {
				require.Equal(t, tt.ref, refused.First().Ref)
			}
		})
	}
}

func updatesOf(refs ...string) (updates []RefUpdate) {
	for _, ref := range refs {
		updates = append(updates, RefUpdate{Ref: ref, New: hashA})
	}
	return updates
}

// inBand puts a report into the side-band, in pieces as receive-pack may.
func inBand(report string) string {
	var b strings.Builder
	for len(report) > 0 {
		n := min(len(report), 1000)
		b.WriteString(wire("\x01" + report[:n]))
		report = report[n:]
	}
	return b.String() + wire("")
}

// The transport may read on after an early answer; the caller's reader is its own again.
func TestLentReaderIsReturned(t *testing.T) {
	lent := strings.NewReader("pack")
	body := &revocableReader{r: lent}
	_, err := body.Read(make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, body.Close())
	_, err = body.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrClosed)
	require.Equal(t, 3, lent.Len())
}

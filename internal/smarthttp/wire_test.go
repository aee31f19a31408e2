package smarthttp

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

const (
	hashA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	hashB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// wire encodes pkt-lines; an empty one is a flush.
func wire(lines ...string) string {
	var b bytes.Buffer
	if err := pktline.NewEncoder(&b).EncodeString(lines...); err != nil {
		panic(err)
	}
	return b.String()
}

func testPack(objects string) string {
	body := "PACK\x00\x00\x00\x02\x00\x00\x00\x01" + objects
	sum := sha1.Sum([]byte(body))
	return body + string(sum[:])
}

func heads(answer string, branches ...string) (map[string]string, error) {
	var wanted refFilter
	for _, branch := range branches {
		wanted.names = append(wanted.names, branchPrefix+branch)
	}
	adv, err := readAdvertisement(newPktReader(strings.NewReader(answer), nil), uploadPack)
	if err != nil {
		return nil, err
	}
	return adv.refs(wanted)
}

func TestAdvertisement(t *testing.T) {
	service := "# service=git-upload-pack\n"
	for name, tt := range map[string]struct {
		answer string
		want   map[string]string
		err    string
	}{
		"v0":                       {answer: wire(service, "", hashA+" HEAD\x00ofs-delta agent=git/2\n", hashA+" refs/heads/main\n", hashB+" refs/heads/main-2\n", ""), want: map[string]string{"refs/heads/main": hashA}},
		"first ref is wanted":      {answer: wire(service, "", hashA+" refs/heads/main\x00ofs-delta\n", ""), want: map[string]string{"refs/heads/main": hashA}},
		"empty, with capabilities": {answer: wire(service, "", nullHash+" capabilities^{}\x00ofs-delta\n", ""), want: map[string]string{}},
		"empty":                    {answer: wire(service, "", ""), want: map[string]string{}},
		"of a shallow clone":       {answer: wire(service, "", hashA+" HEAD\x00\n", "shallow "+hashB+"\n", ""), want: map[string]string{}},
		"cut":                      {answer: wire(service, "", hashA+" HEAD\x00\n"), err: "unexpected EOF"},
		"nothing":                  {answer: "", err: "unexpected EOF"},
		"not pkt-lines":            {answer: "<html>", err: "invalid pkt-len"},
		"error":                    {answer: wire(service, "", "ERR access \x1b[1mdenied"), err: "server failed: access denied"},
		"sha256":                   {answer: wire(service, "", hashA+" HEAD\x00object-format=sha256\n", ""), err: `does not use SHA-1 but "sha256"`},
		"v2 with sha256":           {answer: wire("version 2\n", "object-format=sha256\n", ""), err: `does not use SHA-1 but "sha256"`},
		"not a hash":               {answer: wire(service, "", "x refs/heads/main\x00\n", ""), err: `gives "x" as the commit of "refs/heads/main"`},
		"endless capabilities":     {answer: wire(append([]string{"version 2\n"}, strings.Split(strings.Repeat("x ", 300), " ")[:300]...)...), err: "more than 256 capabilities"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := heads(tt.answer, "main")
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

// GitLab announces the service before v2, too; git does not.
func TestAdvertisementOfV2(t *testing.T) {
	for _, prefix := range []string{"", wire("# service=git-upload-pack\n", "")} {
		adv, err := readAdvertisement(newPktReader(strings.NewReader(prefix+wire("version 2\n", "agent=git/2\n", "object-format=sha1\n", "")), nil), uploadPack)
		require.NoError(t, err)
		require.True(t, adv.v2)
		require.True(t, adv.caps.has("agent=git/2"))
		require.Equal(t, "sha1", adv.caps.value("object-format"))
	}
}

func TestAck(t *testing.T) {
	for name, tt := range map[string]struct{ line, have, common, err string }{
		"nothing common":   {line: "NAK\n", have: hashA},
		"acknowledged":     {line: "ACK " + hashA + "\n", have: hashA, common: hashA},
		"something else":   {line: "ACK " + hashB + "\n", have: hashA, err: "instead of a pack"},
		"without a have":   {line: "ACK \n", err: "instead of a pack"},
		"an error":         {line: "ERR upload-pack: not our ref " + hashA, err: ErrNotOurRef.Error()},
		"neither":          {line: "shallow " + hashA, err: `answers "shallow ` + hashA},
		"multi_ack's form": {line: "ACK " + hashA + " continue\n", have: hashA, err: "instead of a pack"},
	} {
		t.Run(name, func(t *testing.T) {
			common, err := readAcknowledgement(newPktReader(strings.NewReader(wire(tt.line)), nil), tt.have)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.common, common)
		})
	}
}

func TestCommonIgnoresReady(t *testing.T) {
	answer := wire("ACK "+hashA+" common\n", "ACK "+hashB+" ready\n", "NAK\n")
	known, err := readCommonCommits(newPktReader(strings.NewReader(answer), nil), []string{hashB, hashA})
	require.NoError(t, err)
	require.Equal(t, []string{hashA}, known)

	_, err = readCommonCommits(newPktReader(strings.NewReader(strings.Repeat(wire("ACK "+hashA+" common\n"), 10)), nil), []string{hashA})
	require.ErrorContains(t, err, "more than the 1 commits")
}

func TestSideband(t *testing.T) {
	for name, tt := range map[string]struct{ answer, want, err string }{
		"data, progress, keep-alive": {answer: wire("\x01one ", "\x02working\r", "\x01", "\x01two", ""), want: "one two"},
		"no flush":                   {answer: wire("\x01one"), want: "one", err: "unexpected EOF"},
		"failure":                    {answer: wire("\x02fatal: bad\nobject\x1b[2J", "\x03aborting\n"), err: "server failed: aborting: fatal: bad; object"},
		"unknown channel":            {answer: wire("\x04?"), err: "unknown side-band channel 4"},
		"trailing data":              {answer: wire("\x01one", "") + "x", want: "one", err: "data after the end"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := io.ReadAll(newSideband(newPktReader(iotest.OneByteReader(strings.NewReader(tt.answer)), nil)))
			require.Equal(t, tt.want, string(got))
			if tt.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.err)
		})
	}
}

// A hook, or a server, that never stops talking.
func TestSidebandIsBounded(t *testing.T) {
	for name, pkt := range map[string]string{"progress": wire("\x02" + strings.Repeat("x", 60000)), "signs of life": wire("\x01")} {
		endless := &repeated{of: pkt, left: 20 << 20}
		_, err := io.ReadAll(newSideband(newPktReader(endless, nil)))
		require.ErrorIs(t, err, ErrServerFailed, name)
		require.ErrorContains(t, err, "more than 16777216 bytes beside its answer", name)
	}
}

// repeated is a text again and again, and at least left bytes.
type repeated struct {
	of   string
	left int
	now  string
}

func (r *repeated) Read(b []byte) (int, error) {
	if r.now == "" {
		if r.left <= 0 {
			return 0, io.EOF
		}
		r.now = r.of
	}
	n := copy(b, r.now)
	r.now, r.left = r.now[n:], r.left-n
	return n, nil
}

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
			err := readReport(newPktReader(strings.NewReader(inBand(tt.report)), nil), []string{ref})
			if tt.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.err)
			require.Equal(t, err.Error(), foreign.Line(err.Error(), 1000))
		})
	}
	t.Run("cut", func(t *testing.T) {
		err := readReport(newPktReader(strings.NewReader(wire("\x02working\n", "\x01"+wire("unpack ok\n"))), nil), []string{ref})
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.ErrorContains(t, err, "working")
	})
	t.Run("no trailing line needed", func(t *testing.T) {
		report := wire("\x01"+wire("unpack ok\n", "ok "+ref+"\n", ""), "\x02post-receive: bye\n")
		require.NoError(t, readReport(newPktReader(strings.NewReader(report), nil), []string{ref}), "the report is final")
	})
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
			err := readReport(newPktReader(strings.NewReader(inBand(report)), nil), []string{branch, guard})
			var refused *RefusedError
			if tt.reason == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.reason)
			require.Equal(t, tt.ref != "", errors.As(err, &refused))
			if refused != nil {
				require.Equal(t, tt.ref, refused.Ref)
			}
		})
	}
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

func TestPackVerifier(t *testing.T) {
	good := testPack(strings.Repeat("object", 100))
	for name, tt := range map[string]struct {
		pack string
		want error
	}{
		"whole":         {good, nil},
		"no objects":    {testPack(""), nil},
		"version 3":     {repack(strings.Replace(good, "\x02", "\x03", 1)), nil},
		"version 4":     {repack(strings.Replace(good, "\x02", "\x04", 1)), ErrCorruptPack},
		"not a pack":    {repack("JACK" + good[4:]), ErrCorruptPack},
		"changed":       {strings.Replace(good, "object", "0bject", 1), ErrCorruptPack},
		"longer":        {good + "x", ErrCorruptPack},
		"shorter":       {good[:len(good)-1], ErrCorruptPack},
		"only a header": {good[:12], io.ErrUnexpectedEOF},
		"empty":         {"", io.ErrUnexpectedEOF},
	} {
		for reader, wrap := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader,
			"with the error": iotest.DataErrReader, "in halves": iotest.HalfReader,
		} {
			t.Run(name+"/"+reader, func(t *testing.T) {
				got, err := io.ReadAll(newPackVerifier(wrap(strings.NewReader(tt.pack))))
				require.ErrorIs(t, err, tt.want)
				if tt.want == nil {
					require.Equal(t, tt.pack, string(got))
				}
			})
		}
	}
}

// repack corrects the trailer.
func repack(pack string) string {
	body := pack[:len(pack)-sha1.Size]
	sum := sha1.Sum([]byte(body))
	return body + string(sum[:])
}

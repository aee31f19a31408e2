package smarthttp

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/stretchr/testify/require"
)

const (
	hashA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	hashB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// How long servers are waited for where nobody says it (docs/architecture.md#limits-of-time).
func TestDefaultLimits(t *testing.T) {
	require.Equal(t, Limits{Discovery: time.Minute, List: 3 * time.Minute, Advertisement: 10 * time.Minute, Idle: 5 * time.Minute, Answer: 30 * time.Minute}, Limits{}.orDefaults())
	own := Limits{Discovery: 1, List: 5, Advertisement: 2, Idle: 3, Answer: 4}
	require.Equal(t, own, own.orDefaults())
}

// wire encodes pkt-lines; an empty one is a flush.
func wire(lines ...string) string {
	var b bytes.Buffer
	if err := pktline.NewEncoder(&b).EncodeString(lines...); err != nil {
		panic(err)
	}
	return b.String()
}

func heads(answer string, branches ...string) (map[string]string, error) {
	var wanted Wanted
	for _, branch := range branches {
		wanted.Names = append(wanted.Names, "refs/heads/"+branch)
	}
	refs, err := listed(answer, wanted)
	found := map[string]string{}
	for _, ref := range refs {
		found[ref.Name] = ref.Object
	}
	return found, err
}

// listed returns the wanted refs of a v0 advertisement.
func listed(answer string, wanted Wanted) (refs []Ref, err error) {
	adv, err := readAdvertisement(newPktReader(strings.NewReader(answer), nil), uploadPack)
	if err != nil {
		return nil, err
	}
	err = adv.readRefs(newRefLines(wanted, func(ref Ref) error {
		refs = append(refs, ref)
		return nil
	}))
	return refs, err
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
		"not a hash, later on":     {answer: wire(service, "", hashA+" HEAD\x00\n", "x refs/heads/main\n", ""), err: `gives "x" as the commit of "refs/heads/main"`},
		"as long as a hash":        {answer: wire(service, "", strings.Repeat("x", 40)+" refs/heads/main\x00\n", ""), err: `as the commit of "refs/heads/main"`},
		"half a hash":              {answer: wire(service, "", hashA[:39]+" refs/heads/main\x00\n", ""), err: `as the commit of "refs/heads/main"`},
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
		require.True(t, slices.Contains(adv.caps, "agent=git/2"))
		require.Equal(t, "sha1", adv.caps.value("object-format", "="))
	}
}

func TestAck(t *testing.T) {
	for name, tt := range map[string]struct {
		line        string
		more        []string // lines before the pack
		haves       []string
		common, err string
		left        string // the next packet, if it is not the pack's
	}{
		"nothing common":   {line: "NAK\n", haves: []string{hashA}},
		"acknowledged":     {line: "ACK " + hashA + "\n", haves: []string{hashA}, common: hashA},
		"something else":   {line: "ACK " + hashB + "\n", haves: []string{hashA}, err: "instead of a pack"},
		"without a have":   {line: "ACK \n", err: "instead of a pack"},
		"an error":         {line: "ERR upload-pack: not our ref " + hashA, err: ErrNotOurRef.Error()},
		"neither":          {line: "shallow " + hashA, err: `answers "shallow ` + hashA},
		"several haves":    {line: "ACK " + hashB + "\n", haves: []string{hashA, hashB}, common: hashB},
		"more of them":     {line: "ACK " + hashB + "\n", more: []string{"ACK " + hashA + "\n"}, haves: []string{hashA, hashB}, common: hashB},
		"more than asked":  {line: "ACK " + hashB + "\n", more: []string{"ACK " + hashA + "\n", "ACK " + hashA + "\n"}, haves: []string{hashA, hashB}, common: hashB, left: "ACK " + hashA + "\n"},
		"failure after it": {line: "ACK " + hashB + "\n", more: []string{"ERR gone"}, haves: []string{hashA, hashB}, err: "gone"},
		"multi_ack's form": {line: "ACK " + hashA + " continue\n", haves: []string{hashA}, err: "instead of a pack"},
	} {
		t.Run(name, func(t *testing.T) {
			pkts := newPktReader(strings.NewReader(wire(append([]string{tt.line}, append(tt.more, "\x01PACK")...)...)), nil)
			common, err := readAcknowledgement(pkts, tt.haves)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.common, common)
			next, err := pkts.nextPacket()
			require.NoError(t, err)
			require.Equal(t, cmp.Or(tt.left, "\x01PACK"), string(next))
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
			got, err := io.ReadAll(&sideband{pkts: newPktReader(iotest.OneByteReader(strings.NewReader(tt.answer)), nil)})
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
		_, err := io.ReadAll(&sideband{pkts: newPktReader(endless, nil)})
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

package smarthttp

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRefLines(t *testing.T) {
	const tag, other = "refs/tags/v1", "refs/tags/v2"
	peeled := []Ref{{Name: tag, Object: hashA, Peeled: hashB}}
	for name, tt := range map[string]struct {
		lines []string
		want  []Ref
		err   string
	}{
		"v0's peeled tag":                {lines: []string{hashA + " " + tag, hashB + " " + tag + "^{}"}, want: peeled},
		"v2's peeled tag":                {lines: []string{hashA + " " + tag + " peeled:" + hashB}, want: peeled},
		"attributes that nobody knows":   {lines: []string{hashA + " " + tag + " x:y  peeled:" + hashB + " "}, want: peeled},
		"v2's symbolic ref":              {lines: []string{hashA + " HEAD symref-target:refs/heads/x"}, want: []Ref{{Name: "HEAD", Object: hashA, SymrefTarget: "refs/heads/x"}}},
		"an unborn HEAD":                 {lines: []string{"unborn HEAD symref-target:refs/heads/x"}, err: `"unborn" as the commit of "HEAD"`},
		"peeled before the tag":          {lines: []string{hashB + " " + tag + "^{}", hashA + " " + tag}, want: []Ref{{Name: tag, Object: hashA}}},
		"peeled of another tag":          {lines: []string{hashA + " " + tag, hashB + " " + other + "^{}"}, want: []Ref{{Name: tag, Object: hashA}}},
		"peeled of nothing":              {lines: []string{hashB + " ^{}"}},
		"peeled to no hash":              {lines: []string{hashA + " " + tag, "x " + tag + "^{}"}, err: `"x" as the commit of "refs/tags/v1^{}"`},
		"v2, peeled to no hash":          {lines: []string{hashA + " " + tag + " peeled:x"}, err: `gives "x" as what "refs/tags/v1" peels to`},
		"the null hash":                  {lines: []string{nullHash + " " + tag}, err: "as the commit of"},
		"twice":                          {lines: []string{hashA + " " + tag, hashB + " " + tag}, want: []Ref{{Name: tag, Object: hashA}, {Name: tag, Object: hashB}}},
		"nothing that is wanted":         {lines: []string{hashA + " refs/tags", "x refs/heads/main peeled:x", "", "shallow " + hashA}},
		"control characters in an error": {lines: []string{"\x1b[1m " + tag}, err: `as the commit of "refs/tags/v1"`},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []string
			for _, line := range tt.lines {
				lines = append(lines, line+"\n")
			}
			var got []Ref
			wanted := Wanted{Names: []string{"HEAD"}, Prefixes: []string{"refs/tags/"}, Peel: true, Symrefs: true}
			err := newRefLines(wanted, func(ref Ref) error {
				got = append(got, ref)
				return nil
			}).read(newPktReader(strings.NewReader(wire(append(lines, "")...)), nil))
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				checkText(t, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

// HEAD's target is a capability before v2.
func TestSymrefOfHead(t *testing.T) {
	head := hashA + " HEAD\x00ofs-delta symref=HEADS:refs/heads/x symref=HEAD:refs/heads/main\n"
	for _, asked := range []bool{true, false} {
		refs, err := listed(wire(head, hashA+" refs/heads/main\n", ""), Wanted{Names: []string{"HEAD", "refs/heads/main"}, Symrefs: asked})
		require.NoError(t, err)
		require.Len(t, refs, 2)
		require.Equal(t, map[bool]string{true: "refs/heads/main"}[asked], refs[0].SymrefTarget)
		require.Empty(t, refs[1].SymrefTarget)
	}
}

// The time of a push grows with the number of its refs, and not faster: with its square, this would take minutes.
func TestPushOf200000Refs(t *testing.T) {
	const many = 200_000
	var request PushRequest
	advertised, statuses := []string{hashB + " HEAD\x00\n"}, []string{"unpack ok\n"}
	for i := range many {
		ref := fmt.Sprintf("refs/tags/release/%06d", i)
		request.Updates = append(request.Updates, RefUpdate{Ref: ref, Old: hashA, New: hashB})
		advertised, statuses = append(advertised, hashA+" "+ref+"\n"), append(statuses, "ng "+ref+" atomic push failure\n")
	}
	statuses[many] = "ng " + request.Updates[many-1].Ref + " hook declined\n"
	advertisement, report := wire(append(advertised, "")...), inBand(wire(append(statuses, "")...))

	started := time.Now()
	commands, size, err := (&Client{}).commands(request)
	require.NoError(t, err)
	require.Greater(t, size, int64(many*len(hashA)*2))
	sent, err := io.Copy(io.Discard, commands)
	require.NoError(t, err)
	require.Equal(t, size, sent)
	adv, err := readAdvertisement(newPktReader(strings.NewReader(advertisement), nil), receivePack)
	require.NoError(t, err)
	require.NoError(t, checkTips(adv, request.Updates))
	var refused *RefusedError
	require.ErrorAs(t, readReport(newPktReader(strings.NewReader(report), nil), request.Updates), &refused)
	require.Less(t, time.Since(started), 30*time.Second)
	require.Len(t, refused.Refused, many)
	require.Equal(t, RefRefusal{Ref: request.Updates[many-1].Ref, Reason: "not updated: hook declined"}, refused.First())
}

func TestUpdatesAreOneOfEachRef(t *testing.T) {
	client := &Client{}
	_, _, err := client.commands(PushRequest{Updates: updatesOf("refs/heads/a", "refs/heads/b", "refs/heads/a")})
	require.ErrorContains(t, err, "updated twice")
	_, _, err = client.commands(PushRequest{})
	require.ErrorContains(t, err, "nothing to push")
	_, _, err = client.commands(PushRequest{Updates: updatesOf("refs/heads/" + strings.Repeat("a", 60_000))})
	require.ErrorContains(t, err, "invalid ref")
}

// BenchmarkRefLines reads an answer of 100,000 annotated tags.
func BenchmarkRefLines(b *testing.B) {
	for protocol, format := range map[string]string{
		"v0": hashA + " refs/tags/v%[1]d\n", "v2": hashA + " refs/tags/v%[1]d peeled:" + hashB + "\n",
	} {
		b.Run(protocol, func(b *testing.B) {
			var lines []string
			for i := range 100_000 {
				lines = append(lines, fmt.Sprintf(format, i))
				if protocol == "v0" {
					lines = append(lines, fmt.Sprintf(hashB+" refs/tags/v%d^{}\n", i))
				}
			}
			answer := wire(append(lines, "")...)
			b.SetBytes(int64(len(answer)))
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				err := newRefLines(Wanted{Prefixes: []string{"refs/tags/"}, Peel: true}, func(ref Ref) error {
					if ref.Peeled == hashB {
						n++
					}
					return nil
				}).read(newPktReader(strings.NewReader(answer), nil))
				require.NoError(b, err)
				require.Equal(b, 100_000, n)
			}
		})
	}
}

package smarthttp

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/packfile"
)

func FuzzAdvertisement(f *testing.F) {
	f.Add(wire("# service=git-upload-pack\n", "", hashA+" HEAD\x00ofs-delta symref=HEAD:refs/heads/main\n", hashA+" refs/heads/main\n", ""))
	f.Add(wire("# service=git-upload-pack\n", "", nullHash+" capabilities^{}\x00object-format=sha256\n", ""))
	f.Add(wire("version 2\n", "ls-refs=unborn\n", "object-format=sha1\n", ""))
	f.Add(wire("ERR no"))
	f.Add(wire("ERR "))
	f.Fuzz(func(t *testing.T, answer string) {
		found, err := heads(answer, "main")
		checkFound(t, found)
		checkText(t, err)
	})
}

func FuzzLsRefs(f *testing.F) {
	f.Add(wire(hashA+" refs/heads/main\n", hashB+" refs/heads/main-2 symref-target:refs/heads/x\n", ""))
	f.Add(wire(hashA+" refs/heads/main peeled:"+hashB+"\n", ""))
	f.Add(wire(hashA+" refs/heads/main\n", hashB+" refs/heads/main^{}\n", ""))
	f.Add(wire("unborn HEAD\n", hashA+"\n", " refs/heads/main\n"))
	f.Fuzz(func(t *testing.T, answer string) {
		found := map[string]string{}
		wanted := Wanted{Names: []string{"refs/heads/main"}, Peel: true, Symrefs: true}
		err := newRefLines(wanted, func(ref Ref) error {
			found[ref.Name] = ref.Object
			require.True(t, ref.Peeled == "" || isHash(ref.Peeled), "%q", ref.Peeled)
			return nil
		}).read(newPktReader(strings.NewReader(answer), nil))
		checkFound(t, found)
		checkText(t, err)
	})
}

func checkFound(t *testing.T, found map[string]string) {
	t.Helper()
	for branch, commit := range found {
		require.Equal(t, "refs/heads/main", branch)
		require.True(t, isHash(commit), "%q", commit)
	}
}

// checkText holds errors to what a terminal or a UI can show as it is.
func checkText(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		require.Equal(t, foreign.Line(err.Error(), 1<<20), strings.TrimSpace(err.Error()))
		require.Less(t, len(err.Error()), 64<<10)
	}
}

func FuzzUploadPackAnswer(f *testing.F) {
	f.Add(wire("NAK\n", "\x02counting\r", "\x01"+testPack("x"), ""))
	f.Add(wire("ACK "+hashA+"\n", "\x01"+testPack(""), ""))
	f.Add(wire("ACK "+hashA+"\n", "ACK "+hashB+"\n", "\x01"+testPack(""), ""))
	f.Add(wire("NAK\n", "\x02fatal: oops\n", "\x03aborting"))
	f.Add(wire("ERR upload-pack: not our ref " + hashB))
	f.Fuzz(func(t *testing.T, answer string) {
		pkts := newPktReader(strings.NewReader(answer), nil)
		common, err := readAcknowledgement(pkts, []string{hashA, hashB})
		checkText(t, err)
		if err != nil {
			return
		}
		require.Contains(t, []string{"", hashA, hashB}, common)
		_, err = io.Copy(io.Discard, packfile.NewVerifier(&sideband{pkts: pkts}))
		checkText(t, err)
	})
}

func FuzzCommon(f *testing.F) {
	f.Add(wire("ACK "+hashA+" common\n", "ACK "+hashB+" ready\n", "NAK\n"))
	f.Fuzz(func(t *testing.T, answer string) {
		known, err := readCommonCommits(newPktReader(strings.NewReader(answer), nil), []string{hashA, hashB})
		require.Subset(t, []string{hashA, hashB}, known)
		checkText(t, err)
	})
}

func FuzzReport(f *testing.F) {
	f.Add(inBand(wire("unpack ok\n", "ok refs/heads/main\n", "")))
	f.Add(wire("\x02remote says no\n") + inBand(wire("unpack ok\n", "ng refs/heads/main hook declined\n", "")))
	f.Add(inBand(wire("unpack ok\n", "ng refs/heads/main atomic push failure\n", "ng refs/tags/v1 hook declined\n", "")))
	f.Add(wire("\x03gone"))
	f.Add(wire("\x03"))
	f.Fuzz(func(t *testing.T, answer string) {
		err := readReport(newPktReader(strings.NewReader(answer), nil), updatesOf("refs/heads/main", "refs/tags/v1"))
		checkText(t, err)
		if err == nil {
			require.Contains(t, answer, "unpack ok")
		}
		var refused *RefusedError
		if errors.As(err, &refused) {
			require.LessOrEqual(t, len(refused.Messages), 21)
			require.NotEmpty(t, refused.Refused)
			require.LessOrEqual(t, len(refused.Refused), 2)
		}
	})
}

package lfs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const oidA = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"

var oidB = strings.Repeat("b", 64)

func pointer(oid string, size any) string {
	return fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %v\n", oid, size)
}

const extension = "ext-0-foo sha256:" + oidA + "\n"

// pointers are texts that are pointers to oidA of 12345 bytes.
var pointers = map[string]string{
	"canonical":               pointer(oidA, 12345),
	"no line break":           strings.TrimSuffix(pointer(oidA, 12345), "\n"),
	"white space":             "\n \t" + pointer(oidA, 12345) + "\v\f\r\n",
	"blank lines":             strings.ReplaceAll(pointer(oidA, 12345), "\n", "\n\n"),
	"Windows":                 strings.ReplaceAll(pointer(oidA, 12345), "\n", "\r\n"),
	"plus":                    pointer(oidA, "+12345"),
	"zeros":                   pointer(oidA, "0012345"),
	"before the release":      strings.Replace(pointer(oidA, 12345), "git-lfs", "hawser", 1),
	"alpha":                   strings.Replace(pointer(oidA, 12345), "https://git-lfs.github.com/spec/v1", "http://git-media.io/v/2", 1),
	"extension":               strings.Replace(pointer(oidA, 12345), "oid", extension+"oid", 1),
	"extension first":         extension + pointer(oidA, 12345),
	"extension before size":   strings.Replace(pointer(oidA, 12345), "size", extension+"size", 1),
	"two extensions":          extension + strings.Replace(extension, "0", "1", 1) + pointer(oidA, 12345),
	"strange name":            "ext-9-a!\" sha256:" + oidA + "\n" + pointer(oidA, 12345),
	"extension again":         extension + extension + pointer(oidA, 12345),
	"extension again, better": "ext-0-foo sha1:x\n" + extension + pointer(oidA, 12345),
	"1,023 bytes":             pointer(oidA, 12345) + strings.Repeat(" ", 1023-len(pointer(oidA, 12345))),
}

// others are texts that are none, for git-lfs neither.
var others = map[string]string{
	"hello":                  "hello",
	"only a name":            "https://git-lfs.github.com/spec/v1",
	"other version":          strings.Replace(pointer(oidA, 1), "v1", "v2", 1),
	"no version":             pointer(oidA, 1)[43:],
	"no oid":                 "version https://git-lfs.github.com/spec/v1\nsize 1\n",
	"no size":                "version https://git-lfs.github.com/spec/v1\noid sha256:" + oidA + "\n",
	"other order":            "version https://git-lfs.github.com/spec/v1\nsize 1\noid sha256:" + oidA + "\n",
	"extra line":             pointer(oidA, 1) + "size 1\n",
	"extension last":         pointer(oidA, 1) + extension,
	"SHA-1":                  strings.Replace(pointer(oidA, 1), "sha256", "sha1", 1),
	"no type":                strings.Replace(pointer(oidA, 1), "sha256:", "", 1),
	"upper case":             pointer(strings.ToUpper(oidA), 1),
	"short oid":              pointer(oidA[1:], 1),
	"long oid":               pointer(oidA+"0", 1),
	"negative size":          pointer(oidA, -1),
	"hexadecimal size":       pointer(oidA, "0x10"),
	"size with a space":      pointer(oidA, "1 \n\v x"),
	"two spaces":             strings.Replace(pointer(oidA, 1), " ", "  ", 1),
	"tab":                    strings.Replace(pointer(oidA, 1), " ", "\t", 1),
	"same priority":          extension + strings.Replace(extension, "foo", "bar", 1) + pointer(oidA, 1),
	"priority of two digits": strings.Replace(extension, "0", "10", 1) + pointer(oidA, 1),
	"extension's SHA-1":      strings.Replace(extension, "sha256", "sha1", 1) + pointer(oidA, 1),
	"extension's oid":        "ext-0-foo sha256:abc\n" + pointer(oidA, 1),
	"no extension":           "ext-a-foo sha256:" + oidA + "\n" + pointer(oidA, 1),
	"NUL":                    pointer(oidA, 1) + "\x00",
}

func TestParsePointer(t *testing.T) {
	for name, text := range pointers {
		o, ok := ParsePointer([]byte(text))
		require.True(t, ok, name)
		require.Equal(t, Object{OID: oidA, Size: 12345}, o, name)
	}
	for name, text := range others {
		_, ok := ParsePointer([]byte(text))
		require.False(t, ok, name)
	}
}

// What is none here although git-lfs would read it.
func TestParsePointerIsStricterThanGitLFS(t *testing.T) {
	for name, text := range map[string]string{
		"empty":        "",
		"not ASCII":    "ext-0-fooé sha256:" + oidA + "\n" + pointer(oidA, 1),
		"1,024 bytes":  pointer(oidA, 1) + strings.Repeat("\n", 1024-len(pointer(oidA, 1))),
		"over a PiB":   pointer(oidA, MaxSize+1),
		"over 8 EiB":   pointer(oidA, "9223372036854775808"),
		"a huge delta": pointer(oidA, "9223372036854775807"),
	} {
		_, ok := ParsePointer([]byte(text))
		require.False(t, ok, name)
	}
}

func isPointerToGitLFS(t *testing.T, text string) bool {
	t.Helper()
	cmd := exec.Command("git", "lfs", "pointer", "--check", "--stdin")
	cmd.Stdin = strings.NewReader(text)
	err := cmd.Run()
	if err != nil {
		require.Equal(t, 1, cmd.ProcessState.ExitCode(), "%v", err)
	}
	return err == nil
}

func requireGitLFS(t testing.TB) {
	t.Helper()
	if exec.Command("git", "lfs", "version").Run() != nil {
		t.Skip("git-lfs is not installed")
	}
}

// Stock git-lfs agrees about the texts above, and about these with a few bytes changed.
func TestParsePointerAsGitLFS(t *testing.T) {
	requireGitLFS(t)
	for name, text := range pointers {
		require.True(t, isPointerToGitLFS(t, text), name)
	}
	for name, text := range others {
		require.False(t, isPointerToGitLFS(t, text), name)
	}
	if testing.Short() {
		return
	}
	random := rand.New(rand.NewPCG(1, 2))
	texts := make([]string, 0, len(pointers))
	for _, name := range []string{"canonical", "white space", "blank lines", "Windows", "two extensions", "strange name"} {
		texts = append(texts, pointers[name])
	}
	agreed := map[bool]int{}
	for range 200 {
		text := changed(random, texts[random.IntN(len(texts))])
		_, ok := ParsePointer([]byte(text))
		require.Equal(t, isPointerToGitLFS(t, text), ok, "%q", text)
		agreed[ok]++
	}
	require.Greater(t, min(agreed[true], agreed[false]), 10)
}

// changed returns the text with one byte replaced, left out or put in.
func changed(random *rand.Rand, text string) string {
	const bytes = "\n\n\r\t 01a:v"
	at, b := random.IntN(len(text)), bytes[random.IntN(len(bytes))]
	if random.IntN(2) == 0 { // where lines and words end, more often than by chance
		for at > 0 && !strings.ContainsRune("\n ", rune(text[at])) {
			at--
		}
	}
	switch random.IntN(3) {
	case 0:
		return text[:at] + string(b) + text[at+1:]
	case 1:
		return text[:at] + text[at+1:]
	}
	return text[:at] + string(b) + text[at:]
}

func FuzzPointer(f *testing.F) {
	for _, texts := range []map[string]string{pointers, others} {
		for _, text := range texts {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, blob []byte) {
		o, ok := ParsePointer(blob)
		if !ok {
			return
		}
		require.NoError(t, o.Validate())
		require.Less(t, len(blob), MaxPointerSize)
		require.Contains(t, string(blob), "oid sha256:"+o.OID)
		again, ok := ParsePointer(bytes.ReplaceAll(blob, []byte("\n"), []byte("\n\n")))
		if len(blob)+bytes.Count(blob, []byte("\n")) < MaxPointerSize {
			require.True(t, ok)
			require.Equal(t, o, again)
		}
	})
}

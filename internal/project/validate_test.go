package project_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/project"
)

func TestValidCommit(t *testing.T) {
	for s, want := range map[string]bool{
		strings.Repeat("a", 40):                    true,
		"0123456789abcdef0123456789abcdef01234567": true,
		"":                             false,
		strings.Repeat("a", 39):        false,
		strings.Repeat("a", 41):        false,
		strings.Repeat("A", 40):        false,
		strings.Repeat("g", 40):        false,
		strings.Repeat("a", 40) + "\n": false,
		strings.Repeat("0", 40):        false,
	} {
		require.Equal(t, want, project.ValidCommit(s), "%q", s)
	}
}

func TestBranchValidate(t *testing.T) {
	valid := project.Branch{Group: "platform/edge-1", Name: ".proxy_2", Branch: "main"}
	require.NoError(t, valid.Validate())

	tests := map[string]struct {
		change func(*project.Branch)
		want   string
	}{
		"no group":           {func(b *project.Branch) { b.Group = "" }, "group name is empty"},
		"no project":         {func(b *project.Branch) { b.Name = "" }, "project name is empty"},
		"path too long":      {func(b *project.Branch) { b.Group = strings.Repeat("g", 250) }, "259 bytes, limit 255"},
		"branch":             {func(b *project.Branch) { b.Branch = "a b" }, `branch "a b": contains a space`},
		"all names at fault": {func(b *project.Branch) { *b = project.Branch{} }, "group name is empty\nproject name is empty\nbranch \"\": is empty"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := valid
			test.change(&b)
			require.ErrorContains(t, b.Validate(), test.want)
		})
	}
}

func TestSyncValidate(t *testing.T) {
	good := project.Branch{Group: "g", Name: "p", Branch: "main"}
	bad := project.Branch{Group: "g", Name: "p"}
	require.NoError(t, project.Sync{Source: good, Destination: good}.Validate())
	require.ErrorContains(t, project.Sync{Source: bad, Destination: good}.Validate(), `source: branch ""`)
	require.ErrorContains(t, project.Sync{Source: good, Destination: bad}.Validate(), `destination: branch ""`)
}

// checkRefFormat asks git itself, outside of any repository so that "@{-1}" is
// not looked up.
func checkRefFormat(t require.TestingT, name string) bool {
	cmd := exec.Command("git", "check-ref-format", "--branch", name)
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES=/")
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(t, err, &exit)
	}
	return err == nil
}

func TestValidateBranchAgreesWithGit(t *testing.T) {
	for _, name := range []string{
		"main", "feature/x", "a/b/c", "a.b", "a@b", "a-", "größe", "日本語", "a'b", `a"b`, "a<b>&c", "a#b%",
		"head", "HEADS", "HEAD/x", "x.locked", "a{b}", "lock", "a/@", "a@/b", "a\u200d",
		"", "-", "-a", "HEAD", ".", "..", "a..b", ".a", "a/.b", "a.", "a./b", "a/", "/a", "a//b", "a.lock", "a.lock/b", ".lock",
		"a b", "a~", "a^", "a:", "a?", "a*", "a[", `a\b`, "a\tb", "a\nb", "a\x7f", "a\x01", "@{", "a@{b", "@{-1}",
	} {
		require.Equal(t, checkRefFormat(t, name), project.ValidateBranch(name) == nil, "%q", name)
	}
}

func TestValidateBranchAgreesWithGitOnGeneratedNames(t *testing.T) {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{".", "..", "/", "@", "{", "-", ".lock", " ", "HEAD", "\\", "*", "?", "[", "~", "\x7f"}),
		rapid.StringN(1, 4, 12),
	)
	rapid.Check(t, func(t *rapid.T) {
		name := strings.Join(rapid.SliceOfN(piece, 1, 5).Draw(t, "pieces"), "")
		if strings.Contains(name, "\x00") || name == "@" || strings.HasPrefix(name, "refs/") || !utf8.ValidString(name) {
			t.Skip("not an argument, or one of our own rules")
		}
		if strings.ContainsFunc(name, foreign.IsControl) {
			require.Error(t, project.ValidateBranch(name), "%q", name)
			return
		}
		require.Equal(t, checkRefFormat(t, name), project.ValidateBranch(name) == nil, "%q", name)
	})
}

func TestValidateBranchOwnRules(t *testing.T) {
	require.NoError(t, project.ValidateBranch(strings.Repeat("b", 250)))
	require.ErrorContains(t, project.ValidateBranch(strings.Repeat("b", 251)), "251 bytes, limit 250")
	require.ErrorContains(t, project.ValidateBranch("a\xff"), "is not UTF-8")
	require.ErrorContains(t, project.ValidateBranch("@"), "reserved")
	for _, r := range "\x00\x1b\u0080\u0085\u009b\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069" {
		require.ErrorContains(t, project.ValidateBranch("a"+string(r)+"b"), "terminals act on", "%q", r)
	}
}

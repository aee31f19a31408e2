package project

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValidatePredecessorBranch(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"main": "", "release/1.x": "", "a/b/c": "", "feature_x-2": "", "a+b": "", "user@host": "", "a=b": "", "100%": "", "a,b": "", "größe": "", "分支": "",
		"head": "", "mytags/x": "", "a/tags/x": "", "tags": "", "refs": "",
		"a;reboot": "';'", "a&b": "'&'", "a|b": "'|'", "$HOME": "'$'", "`id`": "'`'", "a(b)": "'('", "a'b": `'\''`, `a"b`: `'"'`, "#1": "'#'", "a#1": "'#'",
		"a<b": "'<'", "a>b": "'>'", "{a,b}": "'{'", "!x": "'!'", "a\u00a0b": `'\u00a0'`, "a\u3000b": `'\u3000'`,
		"refs/heads/*": "a set of refs", "refs/heads/release-*": "a set of refs", "refs/tags/*": "a set of refs", "refs/*": "a set of refs",
		"+main": "the '+' before", "refs/tags/v1": "another ref", "heads/main": "another ref", "tags/v1": "another ref", "remotes/a/b": "another ref",
	} {
		require.NoError(t, ValidateBranch(name), name)
		err := ValidatePredecessorBranch(name)
		if want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, ErrPredecessorBranch, name)
		require.ErrorContains(t, err, want)
	}
}

// A shell takes each accepted name for one word, and that word for the name: also at a word's beginning, and behind a colon.
func TestShellTakesAcceptedNames(t *testing.T) {
	t.Parallel()
	var names []string
	for c := rune(1); c < 0x250; c++ {
		for _, name := range []string{string(c) + "x", "x" + string(c) + "x", string(c) + "x" + string(c) + "y"} {
			if ValidateBranch(name) == nil && ValidatePredecessorBranch(name) == nil {
				names = append(names, name+":"+name)
			}
		}
	}
	require.Greater(t, len(names), 1000)
	out, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", `printf '%s\n' `+strings.Join(names, " ")).Output()
	require.NoError(t, err)
	require.Equal(t, names, strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"))
}

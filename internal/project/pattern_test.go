package project_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/app-sre/git-partition-sync/internal/project"
)

func named(text string) project.Branch {
	return project.Branch{Group: "g", Name: "p", Branch: project.CanonicalBranch(text)}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		name     string
		prefixes []string
	}{
		"*":                    {"refs/heads/*", []string{"refs/heads/"}},
		"release-*":            {"refs/heads/release-*", []string{"refs/heads/release-"}},
		"release/*":            {"refs/heads/release/*", []string{"refs/heads/release/"}},
		"heads/*":              {"refs/heads/heads/*", []string{"refs/heads/heads/"}},
		"refs*":                {"refs/heads/refs*", []string{"refs/heads/refs"}},
		"refs/heads/*":         {"refs/heads/*", []string{"refs/heads/"}},
		"refs/heads/release/*": {"refs/heads/release/*", []string{"refs/heads/release/"}},
		"refs/tags/*":          {"refs/tags/*", []string{"refs/tags/"}},
		"refs/tags/v1.*":       {"refs/tags/v1.*", []string{"refs/tags/v1."}},
		"refs/*":               {"refs/*", []string{"refs/heads/", "refs/tags/"}},
	} {
		b := named(text)
		require.Equal(t, want.name, b.Branch, "%q", text)
		require.NoError(t, b.Validate(), "%q", text)
		require.Equal(t, want.prefixes, b.RefPrefixes(), "%q", text)
		require.True(t, b.IsSet(), "%q", text)
		require.False(t, b.IsTag(), "%q", text)
		require.Equal(t, "set of refs", b.Kind())
		require.NoError(t, project.Sync{Source: b, Destination: b}.Validate())
		parsed, err := project.ParseBranch("g/p@" + text)
		require.NoError(t, err)
		require.Equal(t, b, parsed)
	}
	require.False(t, named("main").IsSet())
	require.Empty(t, named("main").RefPrefixes())
	require.False(t, project.Branch{}.IsSet())
}

func TestHas(t *testing.T) {
	t.Parallel()
	for text, refs := range map[string][]string{
		"main":        {"refs/heads/main"},
		"refs/tags/v": {"refs/tags/v"},
		"release-*":   {"refs/heads/release-1", "refs/heads/release-a/b"},
		"refs/*":      {"refs/heads/main", "refs/tags/v", "refs/heads/release-1", "refs/heads/release-a/b"},
	} {
		for _, ref := range []string{"refs/heads/main", "refs/tags/v", "refs/heads/release-1", "refs/heads/release-a/b", "main", "", "refs/heads/release-*", "refs/notes/x"} {
			require.Equal(t, slices.Contains(refs, ref), named(text).Has(ref), "%s %s", text, ref)
		}
	}
}

func TestOtherPatternsAreRefused(t *testing.T) {
	t.Parallel()
	const accepted = "accepted are a branch (main), a tag (refs/tags/v1), and patterns with one '*' at their end: of branches (* or release-*), of tags (refs/tags/*), and of both (refs/*)"
	for text, want := range map[string]string{
		"a*b":                          "contains '*' elsewhere than once at the end: " + accepted,
		"**":                           "contains '*' elsewhere",
		"*/main":                       "contains '*' elsewhere",
		"refs/tags/*/*":                "contains '*' elsewhere",
		"refs/**":                      "contains '*' elsewhere",
		"refs/merge-requests/*":        "is a pattern neither of branches nor of tags: " + accepted,
		"refs/git-partition-sync/*":    "is a pattern neither",
		"refs/heads*":                  "is a pattern neither",
		"refs/t*":                      "is a pattern neither",
		"refs/heads/refs/*":            "is a pattern neither",
		"refs/heads/refs/heads/main*":  "is a pattern neither",
		"-*":                           "starts with '-'",
		"refs/tags/-*":                 "starts with '-'",
		"a//*":                         "has an empty path component",
		"/*":                           "has an empty path component",
		"refs//*":                      "is a pattern neither",
		"refs/tags/../heads/*":         "contains '..'",
		"a b*":                         "contains a space",
		"a/.*":                         "starts with '.'",
		"a.lock/*":                     "ends in '.lock'",
		"a\xff*":                       "is not UTF-8",
		"a\u202e*":                     "terminals act on",
		strings.Repeat("b", 239) + "*": "251 bytes, limit 250",
	} {
		require.ErrorContains(t, project.ValidateBranch(project.CanonicalBranch(text)), want, "%q", text)
	}
	require.NoError(t, project.ValidateBranch(project.CanonicalBranch(strings.Repeat("b", 238)+"*")))
	require.ErrorContains(t, project.ValidateBranch("release-*"), "is a pattern neither", "a key has the full pattern")
	require.ErrorContains(t, project.ValidateBranch("*"), "is a pattern neither", "a key has the full pattern")
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ pattern, ref, part string }{
		{"*", "refs/heads/main", "main"},
		{"*", "refs/heads/a/b", "a/b"},
		{"*", "refs/tags/v1", ""},
		{"release-*", "refs/heads/release-1.x", "1.x"},
		{"release-*", "refs/heads/release-", ""},
		{"release-*", "refs/heads/Release-1", ""},
		{"refs/tags/*", "refs/tags/v1", "v1"},
		{"refs/tags/*", "refs/heads/v1", ""},
		{"refs/*", "refs/heads/main", "heads/main"},
		{"refs/*", "refs/tags/v1", "tags/v1"},
		{"refs/*", "refs/heads/", ""},
		{"refs/*", "refs/heads", ""},
		{"refs/*", "refs/merge-requests/1/head", ""},
		{"refs/*", "refs/keep-around/1", ""},
		{"refs/*", "refs/pipelines/1", ""},
		{"refs/*", "refs/git-partition-sync/put/heads/main", ""},
		{"refs/*", "HEAD", ""},
		// These are not what a sync of such a name alone would mean.
		{"*", "refs/heads/refs/heads/main", ""},
		{"*", "refs/heads/refs/x", ""},
		{"*", "refs/heads/refs/tags/v1", ""},
		{"*", "refs/heads/HEAD", ""},
		{"*", "refs/heads/-x", ""},
		{"*", "refs/heads/a\xff", ""},
		{"*", "refs/heads/a\u202eb", ""},
		{"*", "refs/heads/" + strings.Repeat("b", 251), ""},
		{"*", "refs/heads/a*", ""},
		{"*", "refs/heads/*", ""},
		{"refs/*", "refs/heads/*", ""},
		{"refs/tags/*", "refs/tags/v1^{}", ""},
		{"main", "refs/heads/main", ""},
		{"main", "main", ""},
		{"main", "mainline", ""},
	} {
		part, ok := named(test.pattern).Match(test.ref)
		require.Equal(t, test.part, part, "%q of %q", test.ref, test.pattern)
		require.Equal(t, test.part != "", ok, "%q of %q", test.ref, test.pattern)
	}
}

// A set has only what has a name on both sides.
func TestMatchOfSync(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ source, destination, ref, part string }{
		{"*", "upstream/*", "refs/heads/main", "main"},
		{"*", "upstream/*", "refs/tags/main", ""},
		{"a*", "b/*", "refs/heads/a.x", ""},
		{"a*", "b/*", "refs/heads/a/x", ""},
		{"a/*", "*", "refs/heads/a/HEAD", ""},
		{"a/*", "*", "refs/heads/a/refs/x", ""},
		{"a/*", "*", "refs/heads/a/x", "x"},
		{"*", "upstream/*", "refs/heads/" + strings.Repeat("b", 242), ""},
	} {
		part, ok := project.Sync{Source: named(test.source), Destination: named(test.destination)}.Match(test.ref)
		require.Equal(t, test.part, part, "%+v", test)
		require.Equal(t, test.part != "", ok, "%+v", test)
	}
}

func TestUnlikeSidesAreNoSync(t *testing.T) {
	t.Parallel()
	kinds := []string{"main", "refs/tags/v1", "release-*", "refs/tags/v*", "refs/*"}
	for i, source := range kinds {
		for j, destination := range kinds {
			err := project.Sync{Source: named(source), Destination: named(destination)}.Validate()
			if i == j {
				require.NoError(t, err)
				continue
			}
			require.ErrorContains(t, err, "name on both sides a branch, a tag, a pattern of branches, a pattern of tags, or refs/*", "%s -> %s", source, destination)
		}
	}
	require.NoError(t, project.Sync{Source: named("*"), Destination: named("upstream/*")}.Validate())
}

// drawPattern and drawRef are made of few letters, so that they often have to do with one another.
func drawPattern(t *rapid.T) project.Branch {
	b := project.Branch{Group: rapid.SampledFrom([]string{"g", "G"}).Draw(t, "group"), Name: "p"}
	b.Branch = project.CanonicalBranch(rapid.StringMatching(`(refs/(heads/|tags/)?)?[ab/]{0,3}\*?`).Filter(func(s string) bool {
		return project.ValidateBranch(project.CanonicalBranch(s)) == nil
	}).Draw(t, "pattern"))
	return b
}

func drawRef(t *rapid.T) string {
	return rapid.StringMatching(`refs/(heads|tags|notes)/[ab/.-]{1,4}`).Draw(t, "ref")
}

func TestCanonicalIsIdempotent(t *testing.T) {
	t.Parallel()
	text := rapid.OneOf(rapid.StringMatching(`(refs/)?(heads/|tags/)?(refs/)?[ab*/]{0,4}\*?`), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		once := project.CanonicalBranch(text.Draw(t, "text"))
		require.Equal(t, once, project.CanonicalBranch(once))
	})
}

func TestMatchAndRefForAreInverse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b, ref := drawPattern(t), drawRef(t)
		part, ok := b.Match(ref)
		if !ok {
			return
		}
		require.Equal(t, ref, b.RefFor(part))
		require.True(t, slices.ContainsFunc(b.RefPrefixes(), func(prefix string) bool { return strings.HasPrefix(ref, prefix) }), "the server is asked for it")
		require.NoError(t, project.ValidateBranch(project.CanonicalBranch(ref)), "it could be a sync's branch by itself")
	})
}

func TestMappingKeepsTheOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := drawPattern(t)
		one, other := rapid.String().Draw(t, "one"), rapid.String().Draw(t, "other")
		require.Equal(t, strings.Compare(one, other), strings.Compare(b.RefFor(one), b.RefFor(other)))
	})
}

// Overlaps agrees with a look at every ref.
func TestOverlaps(t *testing.T) {
	t.Parallel()
	refs := everyRef(5)
	rapid.Check(t, func(t *rapid.T) {
		b, other := drawPattern(t), drawPattern(t)
		common := slices.ContainsFunc(refs, func(ref string) bool { return has(b, ref) && has(other, ref) })
		require.Equal(t, common, b.Overlaps(other), "%s and %s", b, other)
		require.Equal(t, common, other.Overlaps(b), "%s and %s", other, b)
	})
	elsewhere := named("*")
	elsewhere.Name = "q"
	require.False(t, named("*").Overlaps(elsewhere))
}

func has(b project.Branch, ref string) bool {
	_, ok := b.Match(ref)
	return ok || !b.IsSet() && b.Ref() == ref
}

// everyRef returns all names of branches and tags of the letters a, b and / up to a length.
func everyRef(length int) (refs []string) {
	shorter := []string{""}
	for range length {
		var longer []string
		for _, name := range shorter {
			longer = append(longer, name+"a", name+"b", name+"/")
		}
		for _, name := range longer {
			refs = append(refs, "refs/heads/"+name, "refs/tags/"+name)
		}
		shorter = longer
	}
	return refs
}

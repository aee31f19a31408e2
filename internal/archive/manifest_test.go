package archive_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	commitA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	commitB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func newManifest() archive.Manifest {
	return archive.Manifest{
		FormatVersion: 1,
		Bundle: archive.Bundle{
			ID: object.ID{
				Destination: project.Branch{Group: "platform/edge", Name: "proxy", Branch: "main"},
				Commit:      commitA,
				Base:        commitB,
			},
			CreatedAt: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC),
			Size:      1234,
			SHA256:    strings.Repeat("c", 64),
		},
		CreatedBy: "git-partition-sync v1.2.3",
	}
}

const manifestText = `{
  "format_version": 1,
  "destination": {
    "group": "platform/edge",
    "project_name": "proxy",
    "branch": "main"
  },
  "commit_sha": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
  "base_sha": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
  "created_at": "2026-05-04T03:02:01Z",
  "bundle_size": 1234,
  "bundle_sha256": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
  "created_by": "git-partition-sync v1.2.3"
}
`

func TestManifestEncode(t *testing.T) {
	m := newManifest()
	m.FormatVersion = 0
	m.CreatedAt = time.Date(2026, 5, 4, 5, 2, 1, 0, time.FixedZone("CEST", 2*60*60))
	text, err := m.Encode()
	require.NoError(t, err)
	require.Equal(t, manifestText, string(text))

	got, err := archive.ParseManifest(text)
	require.NoError(t, err)
	require.Equal(t, newManifest(), got)
}

// An environment is another member, which readers that know none pass over.
func TestManifestEnvironment(t *testing.T) {
	named, unnamed := newManifest(), newManifest()
	named.Environment = "staging-1"
	text, err := named.Encode()
	require.NoError(t, err)
	require.Contains(t, string(text), `"environment": "staging-1"`)
	got, err := archive.ParseManifest(text)
	require.NoError(t, err)
	require.Equal(t, named, got)

	here := func(name string) archive.Environment {
		e, err := archive.ParseEnvironment(name)
		require.NoError(t, err)
		require.Equal(t, name, e.Name())
		return e
	}
	tests := []struct {
		manifest archive.Manifest
		here     archive.Environment
		refused  string
	}{
		{unnamed, archive.AnyEnvironment(), ""},
		{named, archive.AnyEnvironment(), ""},
		{named, here("staging-1"), ""},
		{unnamed, archive.Environment{}, `made for another environment: it names none, this is ""`},
		{named, archive.Environment{}, `made for another environment: "staging-1", this is ""`},
		{named, here("staging-2"), `made for another environment: "staging-1", this is "staging-2"`},
		{unnamed, here("staging-1"), `made for another environment: it names none, this is "staging-1"`},
	}
	for _, test := range tests {
		err := test.manifest.CheckEnvironment(test.here)
		if test.refused == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, archive.ErrEnvironment)
		require.EqualError(t, err, test.refused)
	}
	for _, name := range []string{" ", "-x", "a b", "a\n", strings.Repeat("x", 64)} {
		named.Environment = name
		_, err := named.Encode()
		require.ErrorContains(t, err, "manifest: environment: ", "%q", name)
	}
}

func TestManifestSnapshotHasNoBase(t *testing.T) {
	m := newManifest()
	m.Base = ""
	text, err := m.Encode()
	require.NoError(t, err)
	require.NotContains(t, string(text), "base_sha")
	got, err := archive.ParseManifest(text)
	require.NoError(t, err)
	require.Equal(t, m, got)
}

func TestParseManifestIgnoresUnknownMembers(t *testing.T) {
	got, err := archive.ParseManifest([]byte(strings.Replace(manifestText, "{", `{"new": {"x": [1]},`, 1)))
	require.NoError(t, err)
	require.Equal(t, newManifest(), got)
}

func TestParseManifestVersion(t *testing.T) {
	for version, want := range map[string]string{"4": "newer version", "0": "expected 1 to 3", "-1": "expected 1 to 3"} {
		text := `{"format_version": ` + version + `, "destination": "in another shape"}`
		_, err := archive.ParseManifest([]byte(text))
		require.ErrorIs(t, err, archive.ErrVersion)
		require.NotErrorIs(t, err, archive.ErrMalformed)
		require.ErrorContains(t, err, want)
	}
}

// Who reads version 1 only would take a tag for a branch of its full name; and what was signed as such a branch is no tag.
func TestManifestOfATagHasItsOwnVersion(t *testing.T) {
	m := newManifest()
	m.Destination.Branch = "refs/tags/v1"
	text, err := m.Encode()
	require.NoError(t, err)
	tag := strings.Replace(strings.Replace(manifestText, `"main"`, `"refs/tags/v1"`, 1), `"format_version": 1`, `"format_version": 2`, 1)
	require.Equal(t, tag, string(text))
	got, err := archive.ParseManifest(text)
	require.NoError(t, err)
	m.FormatVersion = 2
	require.Equal(t, m, got)

	for swapped, want := range map[string]string{
		strings.Replace(tag, `"format_version": 2`, `"format_version": 1`, 1):          "format_version 1 is not that of a tag",
		strings.Replace(manifestText, `"format_version": 1`, `"format_version": 2`, 1): "format_version 2 is not that of a branch",
	} {
		_, err := archive.ParseManifest([]byte(swapped))
		require.ErrorIs(t, err, archive.ErrMalformed)
		require.ErrorContains(t, err, want)
	}
}

func TestManifestRefuses(t *testing.T) {
	tests := map[string]struct{ old, new, want string }{
		"not JSON":      {"{\n", "", "invalid character"},
		"trailing":      {"}\n", "}{}", "invalid character"},
		"truncated":     {"\"\n}\n", "", "unexpected end"},
		"wrong type":    {`1234`, `"1234"`, "bundle_size"},
		"commit":        {commitA, "abc", `commit "abc"`},
		"null commit":   {commitA, strings.Repeat("0", 40), `commit "000`},
		"base":          {commitB, "abc", `base "abc"`},
		"group":         {"platform", "..", `group path "../edge"`},
		"branch":        {"main", "-main", `branch "-main"`},
		"no time":       {`  "created_at": "2026-05-04T03:02:01Z",` + "\n", "", "created_at 0001-01-01"},
		"the epoch":     {"2026-05-04T03:02:01Z", "1970-01-01T00:00:00Z", "created_at 1970-01-01"},
		"year 10000":    {"2026-05-04T03:02:01Z", "9999-12-31T23:59:59-01:00", "created_at 10000-01-01"},
		"not a time":    {"2026-05-04T03:02:01Z", "yesterday", "yesterday"},
		"empty bundle":  {"1234", "0", "bundle_size 0"},
		"negative size": {"1234", "-1", "bundle_size -1"},
		"huge size":     {"1234", "9223372036854775808", "bundle_size"},
		"hash":          {"cccc", "CCCC", "bundle_sha256"},
		"short hash":    {"cccc", "", "bundle_sha256"},
		"too long":      {"{", "{" + strings.Repeat(" ", 64<<10), "limit 65536"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, manifestText, test.old)
			_, err := archive.ParseManifest([]byte(strings.Replace(manifestText, test.old, test.new, 1)))
			require.ErrorIs(t, err, archive.ErrMalformed)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestManifestEncodeRefuses(t *testing.T) {
	m := newManifest()
	m.Size = 0
	_, err := m.Encode()
	require.ErrorContains(t, err, "bundle_size 0 is not positive")
}

func TestManifestMatches(t *testing.T) {
	m := newManifest()
	key := object.ID{Destination: m.Destination, Commit: commitA, Base: commitB}
	require.NoError(t, m.CheckID(key))

	for want, change := range map[string]func(*object.ID){
		`group is "platform/edge" in the manifest, "other" in the key`: func(k *object.ID) { k.Destination.Group = "other" },
		`project_name is "proxy"`:                                      func(k *object.ID) { k.Destination.Name = "other" },
		`branch is "main"`:                                             func(k *object.ID) { k.Destination.Branch = "other" },
		`commit_sha is "` + commitA:                                    func(k *object.ID) { k.Commit = commitB },
		`base_sha is "` + commitB + `"`:                                func(k *object.ID) { k.Base = "" },
	} {
		k := key
		change(&k)
		err := m.CheckID(k)
		require.ErrorIs(t, err, archive.ErrMismatch)
		require.ErrorContains(t, err, want)
	}
}

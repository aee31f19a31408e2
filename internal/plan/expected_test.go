package plan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
)

// Each race between the catalog and the objects, and what somebody may do to the bucket, as far as a listing tells them
// apart.
func TestWithheldByTheListing(t *testing.T) {
	t.Parallel()
	at := func(seconds float64) chain.Chain {
		return chain.Chain{Objects: []object.Stored{{Modified: time.Unix(0, 0)}, {Modified: time.UnixMilli(int64(seconds * 1000))}}}
	}
	byPredecessor := at(99)
	byPredecessor.Predecessors = []object.Stored{{Modified: time.Unix(200, 0), SourceBranch: "main"}}
	named := Expected{Modified: time.Unix(100, 0)}
	for name, tt := range map[string]struct {
		expected Expected
		bucket   chain.Chain
		want     bool
	}{
		"the object that is named":                                {named, at(100), false},
		"a store that tells more than seconds":                    {Expected{Modified: time.UnixMilli(100_900)}, at(100.1), false},
		"uploaded after the catalog was written":                  {named, at(101), false},
		"another one of the same second":                          {named, at(100.5), false},
		"the one before it":                                       {named, at(99), true},
		"nothing":                                                 {named, chain.Chain{}, true},
		"a newer one that the predecessor has made, nobody knows": {named, byPredecessor, true},
		"uploaded for the first time, after the catalog":          {Expected{}, at(1), false},
		"nothing yet":                                             {Expected{}, chain.Chain{}, false},
	} {
		require.Equal(t, tt.want, tt.expected.Withheld(tt.bucket), name)
	}
}

// What the manifest tells.
func TestAcceptedByTheManifest(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 11, 27, 12, 0, 0, 123, time.UTC)
	named, unknown := Expected{ManifestSHA256: "aa", MadeAt: made}, Expected{MadeAt: made}
	for name, tt := range map[string]struct {
		expected Expected
		hash     string
		made     time.Time
		want     bool
	}{
		"the object that is named":                                 {named, "aa", made, true},
		"that one, of a clock that an earlier object was ahead of": {named, "aa", made.Add(-time.Hour), true},
		"made after it": {named, "bb", made.Add(1), true},
		"an old one under a new time or the same key": {named, "bb", made.Add(-1), false},
		"another one of the same time":                {named, "bb", made, false},
		"named, but its manifest is not known":        {unknown, "aa", made, true},
		"older than one whose manifest is not known":  {unknown, "aa", made.Add(-1), false},
		"nothing is known of the one that is named":   {Expected{Modified: made}, "aa", made.Add(-time.Hour), true},
		"no catalog": {Expected{}, "aa", made, true},
	} {
		require.Equal(t, tt.want, tt.expected.Accepts(tt.hash, tt.made), name)
	}
}

// A producer whose clock was days ahead and has been put right makes its next object at an earlier time. That is expected, also
// until it has renewed the catalog.
func TestExpectedAfterAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	uploaded := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for ahead, want := range map[time.Duration]bool{0: true, 24 * time.Hour: false, 72 * time.Hour: true} {
		expected := expectedOf(catalog.Sync{Object: &catalog.Object{Modified: uploaded, MadeAt: uploaded.Add(ahead), ManifestSHA256: "aa"}})
		require.Equal(t, want, expected.Accepts("bb", uploaded.Add(time.Minute)), ahead)
		require.True(t, expected.Accepts("aa", uploaded.Add(ahead)), ahead)
	}
}

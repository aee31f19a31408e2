package chain

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
)

// All that a listing says of an object counts, and the order, but neither fractions of seconds nor quotes, which one
// and the same object may have in one answer and not in another.
func TestHash(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	objects := []object.Stored{{Key: "a", Size: 1, Modified: at, ETag: `"x"`}, {Key: "b", Size: 2, Modified: at, ETag: `"y"`}}
	want := Hash(objects)
	require.Regexp(t, "^[0-9a-f]{64}$", want)
	require.Empty(t, Hash(nil))
	for name, tt := range map[string]struct {
		alter func(o []object.Stored) []object.Stored
		same  bool
	}{
		"key":      {func(o []object.Stored) []object.Stored { o[1].Key = "c"; return o }, false},
		"size":     {func(o []object.Stored) []object.Stored { o[0].Size++; return o }, false},
		"time":     {func(o []object.Stored) []object.Stored { o[0].Modified = at.Add(time.Second); return o }, false},
		"etag":     {func(o []object.Stored) []object.Stored { o[0].ETag = `"z"`; return o }, false},
		"order":    {func(o []object.Stored) []object.Stored { slices.Reverse(o); return o }, false},
		"fewer":    {func(o []object.Stored) []object.Stored { return o[1:] }, false},
		"fraction": {func(o []object.Stored) []object.Stored { o[0].Modified = at.Add(time.Millisecond); return o }, true},
		"zone":     {func(o []object.Stored) []object.Stored { o[0].Modified = at.In(time.FixedZone("", 3600)); return o }, true},
		"quotes":   {func(o []object.Stored) []object.Stored { o[0].ETag = "x"; return o }, true},
		"weak":     {func(o []object.Stored) []object.Stored { o[0].ETag = `W/"x"`; return o }, true},
	} {
		require.Equal(t, tt.same, want == Hash(tt.alter(slices.Clone(objects))), name)
	}
}

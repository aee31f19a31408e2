package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProgressInWords(t *testing.T) {
	t.Parallel()
	type seen struct {
		seconds     int
		done, total int64
	}
	for name, tt := range map[string]struct {
		seen []seen
		want Progress
	}{
		"a step that moves no bytes": {[]seen{{0, 0, 0}, {5, 0, 0}}, Progress{}},
		"nothing has come yet":       {[]seen{{0, 0, 263e6}}, Progress{"0 B of 263 MB", 0, 263e6, 0, 0}},
		"on the way":                 {[]seen{{0, 0, 263e6}, {5, 60e6, 263e6}}, Progress{"60 MB of 263 MB, 12 MB/s, 16s left", 60e6, 263e6, 12e6, 16}},
		"of an unknown size":         {[]seen{{0, 0, 0}, {5, 60e6, 0}}, Progress{"60 MB, 12 MB/s", 60e6, 0, 12e6, 0}},
		"all is done":                {[]seen{{0, 0, 60e6}, {5, 60e6, 60e6}}, Progress{"60 MB of 60 MB, 12 MB/s", 60e6, 60e6, 12e6, 0}},
		"more than was expected":     {[]seen{{0, 0, 50e6}, {5, 60e6, 50e6}}, Progress{"60 MB of 50 MB, 12 MB/s", 60e6, 50e6, 12e6, 0}},
		"it stands still":            {[]seen{{0, 0, 100e6}, {5, 60e6, 100e6}, {40, 60e6, 100e6}}, Progress{"60 MB of 100 MB", 60e6, 100e6, 0, 0}},
		"it has become slow":         {[]seen{{0, 0, 100e6}, {5, 60e6, 100e6}, {35, 90e6, 100e6}}, Progress{"90 MB of 100 MB, 1.0 MB/s, 10s left", 90e6, 100e6, 1e6, 10}},
		"hours":                      {[]seen{{0, 0, 100e9}, {10, 100e6, 100e9}}, Progress{"100 MB of 100 GB, 10 MB/s, 2h46m30s left", 100e6, 100e9, 10e6, 9990}},
	} {
		var r rate
		var got Progress
		start := time.Now()
		for _, s := range tt.seen {
			got = r.progress(start.Add(time.Duration(s.seconds)*time.Second), s.done, s.total)
		}
		require.Equal(t, tt.want, got, name)
	}
}

// The rate is of the recent past, and what is kept for it is bounded.
func TestRateForgetsThePast(t *testing.T) {
	t.Parallel()
	var r rate
	now := time.Now()
	for i := range 1000 {
		r.progress(now.Add(time.Duration(i)*HeartbeatEvery), int64(i), 0)
	}
	require.LessOrEqual(t, len(r.samples), int(rateWindow/HeartbeatEvery)+2)
}

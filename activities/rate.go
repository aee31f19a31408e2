package activities

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
)

// rateWindow is how much of the past the rate of a step is taken from: less jumps about, more tells late of a connection
// that has become slow.
const rateWindow = 30 * time.Second

// Progress is the content of a step's heartbeats. Temporal's UI and API show it with the pending activity.
type Progress struct {
	// Text is all of it in words. It is empty for what moves no bytes.
	Text  string `json:"text,omitempty"`
	Done  int64  `json:"bytes_done"`
	Total int64  `json:"bytes_total,omitempty"` // 0 when it is not known
	// Rate is that of the last half minute, in bytes per second.
	Rate int64 `json:"bytes_per_second,omitempty"`
	// ETA is how many seconds it takes until all bytes are done at this rate; 0 when that is not known.
	ETA int64 `json:"eta_seconds,omitempty"`
}

// sample is how many bytes were done at a time.
type sample struct {
	at   time.Time
	done int64
}

// rate finds out how fast a step goes. The zero value has seen nothing yet.
type rate struct{ samples []sample }

// progress takes in how far the step is now, and describes it.
func (r *rate) progress(now time.Time, done, total int64) Progress {
	r.samples = append(r.samples, sample{now, done})
	for len(r.samples) > 2 && now.Sub(r.samples[1].at) >= rateWindow {
		r.samples = r.samples[1:]
	}
	p := Progress{Done: done, Total: max(0, total)}
	first := r.samples[0]
	if took := now.Sub(first.at).Seconds(); took > 0 {
		p.Rate = int64(float64(done-first.done) / took)
	}
	if left := p.Total - done; left > 0 && p.Rate > 0 {
		p.ETA = max(1, left/p.Rate)
	}
	p.Text = p.inWords()
	return p
}

// inWords is as "38 MB of 263 MB, 12 MB/s, 19s left".
func (p Progress) inWords() string {
	if p.Done == 0 && p.Total == 0 {
		return ""
	}
	text := humanize.Bytes(uint64(p.Done))
	if p.Total > 0 {
		text += " of " + humanize.Bytes(uint64(p.Total))
	}
	if p.Rate > 0 {
		text += fmt.Sprintf(", %s/s", humanize.Bytes(uint64(p.Rate)))
	}
	if p.ETA > 0 {
		text += fmt.Sprintf(", %s left", time.Duration(p.ETA)*time.Second)
	}
	return text
}

package statuspage

import (
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// moment is a time for people, with the exact one beside it.
type moment struct {
	Text    string // such as "3 hours ago"
	At      string // as in RFC 3339
	Exactly string // in words
}

// before is how long ago something happened; "" if that is not known.
func before(t, now time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	return moment{ago(t, now), t.UTC().Format(time.RFC3339), exact(t)}
}

// lasting is for how long something has lasted; "" if that is not known.
func lasting(t, now time.Time) moment {
	m := before(t, now)
	if m.Text != "" {
		m.Text = age(t, now)
	}
	return m
}

func ago(t, now time.Time) string { return humanize.RelTime(t, now, "ago", "from now") }

// age is at least a second. A clock that goes ahead makes nothing younger than that.
func age(t, now time.Time) string {
	if latest := now.Add(-time.Second); t.After(latest) {
		t = latest
	}
	return strings.TrimSpace(humanize.RelTime(t, now, "", ""))
}

func exact(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

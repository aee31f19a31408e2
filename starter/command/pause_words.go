package command

import (
	"time"

	"github.com/app-sre/git-partition-sync/internal/fleet"
)

// pausedLines says of each pause until when, by whom and why.
func pausedLines(pauses []fleet.Pause, now time.Time) (lines []string) {
	for _, p := range pauses {
		lines = append(lines, p.Destination+" "+pauseWords(p, now))
	}
	return lines
}

func pauseWords(p fleet.Pause, now time.Time) string {
	words := "until somebody ends it"
	if !p.Until.IsZero() {
		words = "until " + clockTime(p.Until, now)
	}
	if p.By != "" {
		words += ", by " + p.By
	}
	if p.Reason != "" {
		words += ": " + p.Reason
	}
	return words
}

// clockTime is a time of now's day, or with its date, in the zone of this machine.
func clockTime(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

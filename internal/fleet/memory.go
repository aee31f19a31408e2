package fleet

import (
	"cmp"
	"time"
)

// AgainAfter is how long a failure has to last until a cycle fails because of it again, and people are told again.
const AgainAfter = 24 * time.Hour

// Behind is the lag of a sync that has to move, as a cycle finds it at a time. Lag has what is known of it by itself, and carried is
// when what it has to become was brought, such as by an upload. The receiver is what the cycle before left.
func (l *Lags) Behind(lag Lag, carried, at time.Time) Lag {
	lag.Met = at
	before, lagged := l.Find(lag.Destination)
	if lagged && !reached(before, lag) {
		lag.Kind, lag.Failing, lag.Reported, lag.Told = before.Kind, before.Failing, before.Reported, before.Told
		if !before.Since.IsZero() {
			lag.Since, lag.AtLeast = before.Since, before.AtLeast
			return lag
		}
	}
	// What was brought before all was in sync does not tell since when it is not.
	if remembered := !l.LookedAt.IsZero(); lag.Since.IsZero() || remembered && !carried.After(l.LookedAt) {
		lag.Since, lag.AtLeast = at, !remembered
	}
	if lag.Since.After(at) { // by another clock
		lag.Since = at
	}
	return lag
}

// reached tells whether this side has since become what it had to, so that it lags for another reason now.
func reached(before, now Lag) bool {
	return before.Wanted != "" && before.Wanted == now.Is && before.Is != before.Wanted
}

// Fail is a lag that has failed at a time with a kind of failure. The receiver is what the cycle before left.
func (l *Lags) Fail(lag Lag, kind string, at time.Time) Lag {
	before, ok := l.Find(lag.Destination)
	for i := 0; !ok && i < len(l.Recovered); i++ { // nobody knows that it had recovered
		before, ok = l.Recovered[i], l.Recovered[i].Destination == lag.Destination
	}
	if ok && lag.Since.IsZero() {
		lag.Since, lag.AtLeast = before.Since, before.AtLeast
		lag.Is, lag.Wanted = cmp.Or(lag.Is, before.Is), cmp.Or(lag.Wanted, before.Wanted)
	}
	lag.Met, lag.Kind, lag.Failing, lag.Reported, lag.Told = at, kind, at, time.Time{}, time.Time{}
	if ok && before.Kind == kind {
		lag.Failing, lag.Reported, lag.Told = before.Failing, before.Reported, before.Told
	}
	return lag
}

// Report tells whether a cycle has to fail for these to be seen: because of a failure that the cycle before did not have, or of one
// that has lasted for a day since a cycle failed because of it. If so, it notes that one does.
func (l *Lags) Report(before Lags, at time.Time) bool {
	news := l.MoreFailing > 0 && before.MoreFailing == 0
	for _, lag := range l.List {
		news = news || lag.Kind != "" && isDue(lag.Reported, at)
	}
	for i := range l.List {
		if news && l.List[i].Kind != "" {
			l.List[i].Reported = at
		}
	}
	return news
}

func isDue(last, at time.Time) bool { return last.IsZero() || at.Sub(last) >= AgainAfter }

// What has become of a failure.
const (
	ChangeFailing      = "failing"
	ChangeStillFailing = "still_failing" // after a day
	ChangeRecovered    = "recovered"
)

// Change is something that people have to be told.
type Change struct {
	Lag
	What string
	// Was is the kind of failure before, if it is another one now.
	Was string
}

// Settle ends a cycle's list. Of what the cycle before has left and this one has not met, it keeps what this one has not looked at;
// the rest is in sync.
func (l *Lags) Settle(before Lags, looked func(destination string) bool) {
	for _, lag := range before.List {
		now, ok := l.Find(lag.Destination)
		switch {
		case ok && now.Kind != "":
		case !ok && !looked(lag.Destination):
			l.Add(lag)
		case ok || l.MoreFailing == 0: // else it may be one of those that are only counted
			l.recover(lag)
		}
	}
	for _, lag := range before.Recovered {
		if now, ok := l.Find(lag.Destination); !ok || now.Kind == "" {
			l.recover(lag)
		}
	}
}

// Done takes away a lag that this cycle has added, and what the cycle before has left of it: the sync is in sync now.
func (l *Lags) Done(lag Lag, before *Lags) {
	l.Remove(lag)
	if was, ok := before.Find(lag.Destination); ok {
		before.Remove(was)
		l.recover(was)
	}
}

// recover notes that a failure is over of which people were told.
func (l *Lags) recover(lag Lag) {
	if lag.Kind != "" && !lag.Told.IsZero() && hasRoomBeside(l.Recovered, lag) {
		l.Recovered = append(l.Recovered, lag)
	}
}

// Changes returns what people have to be told, failures first. The receiver is what the cycle after the given one leaves. More counts
// the failures that it does not list, if the cycle before listed all.
func (l *Lags) Changes(before Lags, at time.Time) (changes []Change, more int) {
	var still []Change
	for _, lag := range l.List {
		switch was, _ := before.Find(lag.Destination); {
		case lag.Kind == "" || !isDue(lag.Told, at):
		case !lag.Told.IsZero():
			still = append(still, Change{Lag: lag, What: ChangeStillFailing})
		case was.Told.IsZero():
			changes = append(changes, Change{Lag: lag, What: ChangeFailing})
		default:
			changes = append(changes, Change{Lag: lag, What: ChangeFailing, Was: was.Kind})
		}
	}
	changes = append(changes, still...)
	for _, lag := range l.Recovered {
		changes = append(changes, Change{Lag: lag, What: ChangeRecovered})
	}
	if before.MoreFailing == 0 {
		more = l.MoreFailing
	}
	return changes, more
}

// Told notes that people were told all changes.
func (l *Lags) Told(at time.Time) {
	for i, lag := range l.List {
		if lag.Kind != "" && isDue(lag.Told, at) {
			l.List[i].Told = at
		}
	}
	l.Recovered = nil
}

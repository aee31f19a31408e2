package fleet

import (
	"cmp"
)

// known is what is known of one sync.
type known struct {
	Source
	lag  *Lag // nil if the last complete cycle has left it in sync and without a failure, or it was delivered since
	end  End
	said Reported // of its failure, in the cycle's report
}

func (j join) known(s Source) known {
	b := s.Destination.Identity()
	k := known{Source: s, end: j.Ends[b], said: j.reported[b]}
	lag, lags := j.lags[b]
	met := latest(j.Cycle.Looked, lag.Met, lag.Failing)
	delivered := k.end.Commit != "" && k.end.At.After(met) || j.InBucket && s.MadeAt.After(met)
	if s.State == "" && lag.Wanted != "" { // nothing else tells whether there is anything newer
		delivered = delivered && k.end.Commit == lag.Wanted
	}
	if lags && !delivered {
		k.lag = &lag
	}
	return k
}

// lagsBehind tells whether the cycle has found it behind, and not only failing.
func (k known) lagsBehind() bool { return k.lag != nil && (k.lag.Kind == "" || !k.lag.Since.IsZero()) }

// sync tells how one sync is.
func (j join) sync(s Source) Sync {
	k := j.known(s)
	out := Sync{Destination: s.Destination.String(), Source: s.State, Is: j.is(k), Failure: j.failure(k)}
	if out.Source == "" && k.lag != nil {
		out.Source = k.lag.Wanted
	}
	if j.ChildID != nil {
		out.Workflow = j.ChildID(s.Destination)
	}
	if !j.InBucket {
		out.Producer = s.Failure
	}
	switch {
	case j.neverArrived(k):
		out.State = Never
	case k.lagsBehind(), out.Source != "" && out.Is != out.Source:
		out.State = Behind
	default:
		out.State = InSync
	}
	j.setTimes(&out, k)
	if out.Failure != nil {
		out.State = Failing
	}
	if pause, ok := j.pauses[s.Destination.Identity()]; ok {
		out.State, out.Pause = Paused, &pause
	}
	return out
}

func (j join) neverArrived(k known) bool {
	switch {
	case k.end.Commit != "":
		return false
	case k.lagsBehind():
		return k.lag.Is == ""
	case !j.CatalogCreated.IsZero():
		return k.Object == ""
	}
	return j.Cycle.Looked.IsZero() // only the name is known
}

// is returns the commit or state that the side has; empty if that is not known.
func (j join) is(k known) string {
	switch {
	case k.lagsBehind():
		return k.lag.Is
	case j.InBucket && (k.end.Commit == "" || k.MadeAt.After(k.end.At)):
		return k.Object
	case k.end.Commit != "" && (j.InBucket || !j.settled(k.Source, settling)):
		return k.end.Commit
	case j.settled(k.Source, settling), k.end == End{} && j.settled(k.Source, 0): // nobody remembers a run
		return k.Object
	}
	return ""
}

// failure returns what the sync fails with now; nil if it does not.
func (j join) failure(k known) *Failure {
	switch {
	case k.end.Kind != "" && k.end.At.After(j.Cycle.Looked):
		f := Reported{Kind: k.end.Kind, Reason: k.end.Reason}.Failure(k.end.At)
		if k.lag != nil && k.lag.Kind == f.Kind {
			f.Since = cmp.Or(k.lag.Failing, f.Since)
		}
		return &f
	case k.lag != nil && k.lag.Kind != "":
		if k.said.Kind != k.lag.Kind { // there was no room for the reason
			k.said = Reported{Kind: k.lag.Kind}
		}
		f := k.said.Failure(cmp.Or(k.lag.Failing, k.lag.Since))
		return &f
	case j.InBucket && k.Failure != nil && (k.end.Commit == "" || k.Failure.Since.After(k.end.At)):
		return k.Failure
	}
	return nil
}

// setTimes sets since when the sync is behind, and when it was last seen in sync.
func (j join) setTimes(out *Sync, k known) {
	if out.State == InSync {
		checked := j.Cycle.Looked
		if k.end.Commit == out.Is {
			checked = latest(checked, k.end.At)
		}
		if k.lag != nil { // that it fails is all that the cycle has found out
			checked = earliest(checked, k.lag.Failing)
		}
		out.LastInSync = earliest(checked, k.SeenAt)
		return
	}
	out.BehindSince = k.MovedAt
	if k.lagsBehind() && !k.lag.Since.IsZero() && (!k.lag.AtLeast || k.MovedAt.IsZero() || k.lag.Since.Before(k.MovedAt)) {
		out.BehindSince, out.AtLeast = k.lag.Since, k.lag.AtLeast // the source may have moved again since
	}
	if out.State == Behind && !out.AtLeast {
		out.LastInSync = out.BehindSince
	}
}

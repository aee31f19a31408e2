package service

import (
	"cmp"
	"iter"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/version"
)

const (
	// maxDestinations is how many destinations have series of their own: those first that are not in sync.
	maxDestinations = 2000
	// maxSideFailures is how many failures have series that concern no single sync, and maxSubject how long their names are.
	maxSideFailures = 50
	maxSubject      = 100
)

// viewMetrics tell how the syncs of the side are, as they were read last. Without a recent view they are not there at all.
type viewMetrics struct {
	latest func() (fleet.View, bool)
	now    func() time.Time
	descs  map[string]*prometheus.Desc // by name, without what all names begin with
}

// states are all states of syncs.
var states = []fleet.State{fleet.InSync, fleet.Behind, fleet.Never, fleet.Paused, fleet.Failing}

func newViewMetrics(role string, latest func() (fleet.View, bool), now func() time.Time) *viewMetrics {
	m := &viewMetrics{latest, now, map[string]*prometheus.Desc{}}
	for name, d := range map[string]struct {
		help   string
		labels []string
	}{
		"in_sync":                        {"1 if the destination is in sync as far as this side knows, else 0. Paused ones are left out.", []string{"destination"}},
		"behind_seconds":                 {"Since when the source is ahead of what this side has; 0 if it is in sync. Paused ones are left out.", []string{"destination"}},
		"last_in_sync_timestamp_seconds": {"When the destination was last seen in sync, in seconds since 1970; none if that is not known.", []string{"destination"}},
		"failing":                        {"1 for each destination that fails now, by the kind of its failure.", []string{"destination", "kind"}},
		"paused":                         {"1 for each destination that an operator has paused.", []string{"destination"}},
		"destinations_without_series":    {"Destinations beyond the 2,000 that have series of their own, or whose names are not known.", nil},
		"syncs":                          {"Syncs of the side, by state.", []string{"state"}},
		"oldest_lag_seconds":             {"Since when the source of the sync is ahead that has been behind for longest; 0 if none is. Paused ones do not count.", nil},
		"side_failing":                   {"1 for each failure that concerns no single sync, by its subject and kind.", []string{"subject", "kind"}},
		"last_cycle_timestamp_seconds":   {"When the last complete cycle ended, in seconds since 1970.", nil},
		"last_cycle_duration_seconds":    {"How long the last complete cycle took.", nil},
		"scheduled":                      {"1 if cycles run by themselves, or would if they were not paused, else 0.", nil},
		"schedule_paused":                {"1 if an operator has paused the schedule, else 0.", nil},
		"status_timestamp_seconds":       {"When this worker read how the syncs are, in seconds since 1970.", nil},
		"bucket_bytes":                   {"Bytes in the bucket as the last complete cycle began, by kind of object. LFS objects are left out.", []string{"kind"}},
		"bucket_objects":                 {"Objects in the bucket as the last complete cycle began, by kind. LFS objects are left out.", []string{"kind"}},
		"longest_chain_objects":          {"The largest number of objects that one destination is restored from.", nil},
	} {
		m.descs[name] = prometheus.NewDesc(metricPrefix+name, d.help, d.labels, prometheus.Labels{"role": role})
	}
	return m
}

// metricPrefix is what the names of our metrics begin with.
const metricPrefix = "git_partition_sync_"

// newBuildInfo tells which version this is.
func newBuildInfo(role string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: metricPrefix + "build_info", Help: "1, with the version of the software.",
		ConstLabels: prometheus.Labels{"role": role, "version": version.Version(), "go_version": runtime.Version()},
	}, func() float64 { return 1 })
}

// Describe implements [prometheus.Collector].
func (m *viewMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range m.descs {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (m *viewMetrics) Collect(out chan<- prometheus.Metric) {
	v, ok := m.latest()
	if !ok {
		return
	}
	s := viewSeries{m, out, m.now()}
	s.addSide(v)
	s.addBucket(v.Bucket)
	rest := 0
	for _, n := range v.More {
		rest += n
	}
	for i, sync := range namedFirst(v.Syncs) {
		if i < maxDestinations {
			s.addSync(sync)
		} else {
			rest++
		}
	}
	s.add("destinations_without_series", float64(rest))
}

// namedFirst yields all syncs, those first that are not in sync.
func namedFirst(syncs []fleet.Sync) iter.Seq2[int, fleet.Sync] {
	return func(yield func(int, fleet.Sync) bool) {
		i := 0
		for _, inSync := range []bool{false, true} {
			for _, s := range syncs {
				if (s.State == fleet.InSync) != inSync {
					continue
				}
				if !yield(i, s) {
					return
				}
				i++
			}
		}
	}
}

// viewSeries are the series of one view.
type viewSeries struct {
	*viewMetrics
	out chan<- prometheus.Metric
	at  time.Time
}

func (s viewSeries) add(name string, value float64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(s.descs[name], prometheus.GaugeValue, value, labels...)
}

// addTime adds nothing where the time is not known.
func (s viewSeries) addTime(name string, t time.Time, labels ...string) {
	if !t.IsZero() {
		s.add(name, float64(t.UnixMilli())/1000, labels...)
	}
}

// since is how many seconds have passed; 0 if nothing is known, or the other clock is ahead.
func (s viewSeries) since(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return max(0, s.at.Sub(t).Seconds())
}

func (s viewSeries) addSync(sync fleet.Sync) {
	s.addTime("last_in_sync_timestamp_seconds", sync.LastInSync, sync.Destination)
	if sync.State == fleet.Paused { // nobody wants to hear of it
		s.add("paused", 1, sync.Destination)
		return
	}
	s.add("in_sync", truth(sync.State == fleet.InSync), sync.Destination)
	if sync.State == fleet.InSync || !sync.BehindSince.IsZero() {
		s.add("behind_seconds", s.since(sync.BehindSince), sync.Destination)
	}
	if sync.Failure != nil {
		s.add("failing", 1, sync.Destination, foreign.Line(sync.Failure.Kind, maxSubject))
	}
}

// addSide adds what concerns all syncs.
func (s viewSeries) addSide(v fleet.View) {
	count := map[fleet.State]int{}
	for _, sync := range v.Syncs {
		count[sync.State]++
	}
	for _, state := range states {
		s.add("syncs", float64(count[state]+v.More[state]), string(state))
	}
	s.add("oldest_lag_seconds", s.since(v.OldestLag))
	said := map[fleet.SideFailure]bool{}
	for _, f := range slices.SortedFunc(slices.Values(v.Failures), func(a, b fleet.SideFailure) int { return cmp.Compare(a.Subject, b.Subject) }) {
		labels := fleet.SideFailure{Subject: foreign.Line(f.Subject, maxSubject), Failure: fleet.Failure{Kind: foreign.Line(f.Kind, maxSubject)}}
		if !said[labels] && len(said) < maxSideFailures {
			said[labels] = true
			s.add("side_failing", 1, labels.Subject, labels.Kind)
		}
	}
	s.addTime("last_cycle_timestamp_seconds", v.CycleEnded)
	if !v.CycleEnded.IsZero() {
		s.add("last_cycle_duration_seconds", v.CycleTook.Seconds())
	}
	s.add("scheduled", truth(v.Scheduled))
	s.add("schedule_paused", truth(v.SchedulePaused))
	s.addTime("status_timestamp_seconds", v.ReadAt)
}

func (s viewSeries) addBucket(b fleet.BucketUse) {
	if b == (fleet.BucketUse{}) { // it is not known, or there is nothing
		return
	}
	for kind, use := range map[string]fleet.Use{"snapshot": b.Snapshots, "increment": b.Increments, "other": b.Other} {
		s.add("bucket_bytes", float64(use.Bytes), kind)
		s.add("bucket_objects", float64(use.Objects), kind)
	}
	s.add("longest_chain_objects", float64(b.LongestChain))
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

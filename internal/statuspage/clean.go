package statuspage

import (
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// Longest names and texts that are shown, in characters.
const (
	maxName = 300
	maxText = 1_000
	// maxWorkflowID is how long Temporal lets the ID of a workflow be, in bytes.
	maxWorkflowID = 1_000
)

// name is for what others have named. It holds no secrets.
func name(foreignName string) string { return foreign.Line(foreignName, maxName) }

// latest returns the view with everything in it that others have written made fit to be shown, and to be searched: whoever may look
// for words must not find a secret with them. A view is cleaned once, however many look at it, and a text once as long as it is in
// one: with thousands of failures, that takes seconds.
func (h *Handler) latest() (fleet.View, bool) {
	view, ok := h.Latest()
	if !ok {
		return view, false
	}
	h.cleaning.Lock()
	defer h.cleaning.Unlock()
	if !view.ReadAt.Equal(h.cleaned.ReadAt) {
		c := cleaner{mask: h.Mask, before: h.texts, now: map[string]string{}}
		h.cleaned, h.texts = c.view(view), c.now
	}
	return h.cleaned, true
}

// cleaner cleans a view. Before are the texts of the one before, by what they were.
type cleaner struct {
	mask        *foreign.Mask
	before, now map[string]string
}

// text is for what others have said.
func (c cleaner) text(said string) string {
	text, known := c.now[said]
	if !known {
		if text, known = c.before[said]; !known {
			text = c.mask.Line(said, maxText)
		}
		c.now[said] = text
	}
	return text
}

// view leaves the one that it is given as it is: metrics are made of that.
func (c cleaner) view(v fleet.View) fleet.View {
	v.ScheduleNote = c.text(v.ScheduleNote)
	failures, syncs := make([]fleet.SideFailure, len(v.Failures)), make([]fleet.Sync, len(v.Syncs))
	for i, f := range v.Failures {
		failures[i] = fleet.SideFailure{Subject: name(f.Subject), Failure: *c.failure(&f.Failure)}
	}
	for i, s := range v.Syncs {
		syncs[i] = c.sync(s)
	}
	v.Failures, v.Syncs = failures, syncs
	return v
}

func (c cleaner) sync(s fleet.Sync) fleet.Sync {
	s.Destination = name(s.Destination)
	if len(s.Workflow) > maxWorkflowID { // it is none, and a link to a part of it leads elsewhere
		s.Workflow = ""
	}
	s.Workflow = foreign.Line(s.Workflow, maxWorkflowID)
	s.Source, s.Is = name(s.Source), name(s.Is)
	s.Failure, s.Producer = c.failure(s.Failure), c.failure(s.Producer)
	if s.Pause != nil {
		s.Pause = &fleet.Pause{Destination: name(s.Pause.Destination), Reason: c.text(s.Pause.Reason), By: name(s.Pause.By), Until: s.Pause.Until}
	}
	return s
}

func (c cleaner) failure(f *fleet.Failure) *fleet.Failure {
	if f == nil {
		return nil
	}
	return &fleet.Failure{Kind: name(f.Kind), Since: f.Since, Reason: c.text(f.Reason), Remedy: c.text(f.Remedy)}
}

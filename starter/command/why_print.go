package command

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

const labelWidth = 10

// say prints lines with a label before the first.
func (p statusPrinter) say(out *strings.Builder, label string, lines ...string) {
	room := 0
	if p.width > 0 {
		room = max(p.width-labelWidth, minText)
	}
	for _, text := range lines {
		if text == "" {
			continue
		}
		for _, line := range wrap(secrets().Text(text, maxShownLength), room) {
			fmt.Fprintf(out, "%-*s%s\n", labelWidth, label, line)
			label = ""
		}
	}
}

// printWhy prints all that is known of one sync: what is now, what was, where to look, and the last runs.
func (p statusPrinter) printWhy(w io.Writer, namespace string, why syncReason) error {
	var out strings.Builder
	now := why.syncStatus
	now.LastError = "" // it is said by itself
	p.say(&out, "sync", why.Destination)
	if why.PlanError != "" {
		p.say(&out, "now", "not known: "+why.PlanError)
	} else {
		p.say(&out, "now", append([]string{p.where(now)}, p.lines([]syncStatus{now})...)...)
	}
	if s := why.Source; s != nil && s.State != "" {
		p.say(&out, "producer", fmt.Sprintf("saw the source at %s, %s", plan.Short(s.State), ago(s.SeenAt, p.now)))
	}
	what, remedy := divide(why.LastError)
	switch {
	case why.LastError == "":
	case why.PlanError == "" && !why.hasPast(): // it is what was said of now
		p.say(&out, "failed", p.failedWhen(why))
	default:
		p.say(&out, "failed", p.failedWhen(why), why.LastErrorKind+": "+what)
		p.say(&out, "remedy", remedy)
	}
	where := why.UI
	if where == "" {
		where = fmt.Sprintf("temporal workflow describe --namespace %s --workflow-id %q", namespace, why.Workflow)
	}
	p.say(&out, "workflow", why.Workflow, where)
	if _, err := io.WriteString(w, out.String()); err != nil || len(why.Runs) == 0 {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return p.runs(why.Runs, what).print(w)
}

// where says in a line in which state a sync is, since when, and where both ends are.
func (p statusPrinter) where(b syncStatus) string {
	text := stateWords[b.rank()].word
	switch since := p.since(b); {
	case b.State == fleet.Never:
		text = "nothing has arrived yet"
		if since != "" {
			text += ", for " + since
		}
	case since != "" && !b.InSync:
		text += " for " + since
	}
	text += fmt.Sprintf("; is at %s, the source at %s", b.isAt(), b.sourceIsAt())
	if b.Size > 0 {
		text += fmt.Sprintf("; %s in the bucket", size(b.Size))
	}
	return text
}

// failedWhen says when the last run failed, and how often in a row.
func (p statusPrinter) failedWhen(why syncReason) string {
	text := ago(why.LastErrorAt, p.now)
	switch why.Failures {
	case 0:
		return text + "; it has succeeded since"
	case 1:
		return text + ", once"
	}
	atLeast := ""
	if why.FailingBefore {
		atLeast = "at least "
	}
	return fmt.Sprintf("%s, %s%d times in a row since %s", text, atLeast, why.Failures, why.FailingSince.Local().Format("2006-01-02 15:04"))
}

// runs is a table of runs. What they failed with is below them, unless it was said just before.
func (p statusPrinter) runs(runs []runStatus, said string) *table {
	t := &table{width: p.width}
	t.add(tableRow{cells: []string{"RUN BEGAN", "TOOK", "OUTCOME", "WHAT"}})
	for _, run := range runs {
		took := time.Duration(run.Took * float64(time.Second)).Round(100 * time.Millisecond)
		row := tableRow{cells: []string{run.Began.Local().Format(time.DateTime), took.String(), strings.ToLower(run.Outcome), run.Summary}}
		if run.Kind != "" {
			if row.cells[3] = run.Kind; run.Summary != said {
				row.below, said = []string{run.Summary}, run.Summary
			}
		}
		t.add(row)
	}
	return t
}

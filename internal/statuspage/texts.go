package statuspage

import (
	"cmp"
	"html/template"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"github.com/app-sre/git-partition-sync/internal/fleet"
)

// Title is the page's name, in a browser's tab.
func (p page) Title() string {
	marked := ""
	if len(p.Notices) > 0 {
		marked = "! "
	}
	return marked + p.Headline + " – " + cmp.Or(p.Role, "Git Partition Sync")
}

// colours are those of the page's style in the light, which tabs of both kinds can show.
var colours = map[fleet.State]string{
	fleet.Failing: "d0342c", fleet.Never: "3b78c3", fleet.Behind: "d18b00", fleet.Paused: "7b8591", fleet.InSync: "2a9a60", troubled: "d0342c",
}

// Icon is a disc in the colour of the worst state, so that a tab tells how the syncs are.
func (p page) Icon() template.URL {
	const before, after = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' fill='%23", "'/%3E%3C/svg%3E"
	return template.URL(before + colours[p.Worst] + after) //nolint:gosec // nothing of it is foreign
}

// Caption says which of the syncs the table has.
func (p page) Caption() string {
	text := counting(p.Found, "sync")
	if p.Last > 1 {
		text = humanize.Comma(int64(p.First)) + " to " + humanize.Comma(int64(p.First+len(p.Rows)-1)) + " of " + text
	}
	if p.Query.State == "" {
		text += ", worst first"
	}
	return text + p.unnamed()
}

// Empty says why there is no table.
func (p page) Empty() string {
	if p.Found == 0 && (p.Query.Words != "" || p.Query.State != "") {
		return "No sync is like that" + p.unnamed()
	}
	return "There is no sync to show" + p.unnamed()
}

// unnamed tells of those that only numbers tell of.
func (p page) unnamed() string {
	if p.More == 0 {
		return "."
	}
	return ". " + english.PluralWord(p.More, "One more is", humanize.Comma(int64(p.More))+" more are") + " only counted above: there was no room for names."
}

// JSON is the address of the same syncs as JSON, relative to the page's own.
func (p page) JSON() string {
	return "status.json" + query{Words: p.Query.Words, State: p.Query.State}.String()
}

// Before and After are the pages beside this one.
func (p page) Before() query { return p.Query.On(p.Query.Page - 1) }
func (p page) After() query  { return p.Query.On(p.Query.Page + 1) }

// Number is the tile's number for people to read.
func (t tile) Number() string { return humanize.Comma(int64(t.Count)) }

package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// Format is the shape of messages that a receiver knows.
type Format string

// The values of NOTIFY_FORMAT.
const (
	JSON         Format = "json"
	Slack        Format = "slack"
	Alertmanager Format = "alertmanager"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *Format) UnmarshalText(text []byte) error {
	switch format := Format(text); format {
	case JSON, Slack, Alertmanager:
		*f = format
		return nil
	}
	return fmt.Errorf("%q is not %s, %s or %s", text, JSON, Slack, Alertmanager)
}

// Body is the message in that shape.
func (f Format) Body(m Message) ([]byte, error) {
	switch f {
	case Slack:
		return encode(map[string]string{"text": slackText(m)})
	case Alertmanager:
		return encode(alerts(m))
	}
	return encode(m)
}

// encode leaves <, > and & as they are, which Slack's own escapes have.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// endpoint is where a message is sent: Alertmanager is named by its base, as in Prometheus's configuration, or by the path itself.
func (f Format) endpoint(u url.URL) *url.URL {
	const path = "/api/v2/alerts"
	if f == Alertmanager && !strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), path) {
		return u.JoinPath(path)
	}
	return &u
}

// maxSlackText is how many characters of a text Slack is sent. It cuts after 40,000 itself.
const maxSlackText = 30_000

// slackText is a message in Slack's mrkdwn. What others have said is code, in which nothing is a link, a name or emphasis.
func slackText(m Message) string {
	text := "*" + escape.Replace(m.Title()) + "*"
	for i, c := range m.Changes {
		line := "\n• " + words[c.Change] + ": " + code(c.Destination) + " " + code(c.Kind)
		if c.Link != "" {
			line += " <" + escape.Replace(strings.NewReplacer("|", "%7C", ">", "%3E", "<", "%3C").Replace(c.Link)) + "|workflow>"
		}
		for _, said := range []string{c.Reason, c.Remedy} {
			if said != "" {
				line += "\n    " + code(said)
			}
		}
		if len(text)+len(line) > maxSlackText {
			return text + fmt.Sprintf("\n… and %d more", len(m.Changes)-i+m.More)
		}
		text += line
	}
	return text
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func code(said string) string {
	return "`" + escape.Replace(strings.ReplaceAll(foreign.Line(said, maxSaid), "`", "'")) + "`"
}

// alert is one of Alertmanager's, as POST /api/v2/alerts takes them.
type alert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt,omitzero"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// alertLife is how long an alert lasts that is not sent again. Those that still fail are, after fleet.AgainAfter and until the
// next cycle ends; without a time, Alertmanager would take its own, which is five minutes.
const alertLife = fleet.AgainAfter + 6*time.Hour

const (
	alertName     = "GitPartitionSyncFailing"
	alertNameMore = "GitPartitionSyncMoreChanges"
)

// alerts has one for each change, and one more that ends what is now another kind of failure.
func alerts(m Message) (all []alert) {
	add := func(name, destination, kind string, c Change, ends time.Time) {
		a := alert{
			Labels:      map[string]string{"alertname": name, "role": m.Role},
			Annotations: map[string]string{}, StartsAt: c.Since, EndsAt: ends, GeneratorURL: c.Link,
		}
		set := func(to map[string]string, name, value string) {
			if value != "" {
				to[name] = value
			}
		}
		set(a.Labels, "destination", destination)
		set(a.Labels, "kind", kind)
		set(a.Labels, "environment", m.Environment)
		set(a.Annotations, "summary", strings.TrimSpace(destination+" "+words[c.Change]))
		set(a.Annotations, "description", c.Reason)
		set(a.Annotations, "remedy", c.Remedy)
		set(a.Annotations, "workflow", c.Workflow)
		all = append(all, a)
	}
	for _, c := range m.Changes {
		ends := m.At.Add(alertLife)
		if c.Change == fleet.ChangeRecovered {
			ends = m.At
		}
		if c.Was != "" {
			add(alertName, c.Destination, c.Was, Change{Change: fleet.ChangeRecovered}, m.At)
		}
		add(alertName, c.Destination, c.Kind, c, ends)
	}
	if m.More > 0 {
		add(alertNameMore, "", "", Change{Reason: m.Title(), Since: m.At}, m.At.Add(alertLife))
	}
	return all
}

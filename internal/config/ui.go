package config

import "net/url"

// UI is where people find Temporal's web UI. What is written for them links to it.
type UI struct {
	// TemporalUI is nil where it is not known.
	TemporalUI *url.URL `env:"TEMPORAL_UI_URL"`
}

// LoadUI reads it from environ, which has the shape of os.Environ.
func LoadUI(environ []string) (UI, error) {
	return load(environ, func(*UI, variables) []error { return nil })
}

// Workflow is the page of a workflow, which shows its last run; empty if the UI, the namespace or the ID is not known.
func (u UI) Workflow(namespace, id string) string {
	if u.TemporalUI == nil || namespace == "" || id == "" {
		return ""
	}
	return u.TemporalUI.JoinPath("namespaces", url.PathEscape(namespace), "workflows", url.PathEscape(id)).String()
}

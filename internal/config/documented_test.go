package config

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var quoted = regexp.MustCompile("`([^`]+)`")

// documented reads the table of a section of docs/configuration.md: its variables, and their defaults.
func documented(t *testing.T, section string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	_, after, found := strings.Cut(string(text), "\n## "+section+"\n")
	require.True(t, found, section)
	part, _, _ := strings.Cut(after, "\n## ")
	variables := map[string]string{}
	for line := range strings.Lines(part) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		for _, name := range quoted.FindAllStringSubmatch(cells[1], -1) {
			variables[name[1]] = strings.TrimSpace(cells[2])
		}
	}
	return variables
}

// The tables have the variables that the configurations have, with their defaults, and no others.
func TestVariablesAreDocumented(t *testing.T) {
	side := reflect.TypeFor[Common]()
	for section, configuration := range map[string]reflect.Type{
		"Both sides": side, "Producer": reflect.TypeFor[Producer](), "Consumer": reflect.TypeFor[Consumer](), "Standalone": reflect.TypeFor[Standalone](), "Check": reflect.TypeFor[PreviousBundle](),
	} {
		got := documented(t, section)
		if section == "Both sides" {
			maps.Copy(got, documented(t, "AWS"))
			maps.DeleteFunc(got, func(name, _ string) bool { // read by the SDK alone
				return strings.HasPrefix(name, "AWS_") && !slices.ContainsFunc(settingsOfType(side), func(s setting) bool { return s.name == name })
			})
		}
		for _, s := range settingsOfType(configuration) {
			field, _ := configuration.FieldByName(s.field)
			if section != "Both sides" && len(field.Index) > 1 {
				continue // one of both sides'
			}
			require.Contains(t, got, s.name, section)
			cell := got[s.name]
			delete(got, s.name)
			_, options, _ := strings.Cut(field.Tag.Get("env"), ",")
			if value := field.Tag.Get("envDefault"); value != "" {
				require.Equal(t, "`"+value+"`", cell, s.name)
			}
			if field.Type.Kind() == reflect.Bool && field.Tag.Get("envDefault") == "" {
				require.Equal(t, "`false`", cell, s.name)
			}
			if !strings.HasPrefix(s.name, "AWS_") || strings.HasPrefix(s.name, "AWS_S3_") { // the section on AWS has no defaults
				require.Equal(t, options == "notEmpty", cell == "required", s.name)
			}
		}
		require.Empty(t, got, "what is documented for %q, and not read", section)
	}
}

// The same of what Temporal's SDK reads.
func TestVariablesOfTemporalAreDocumented(t *testing.T) {
	got := documented(t, "Temporal")
	require.Contains(t, got, temporalHeaders+"<NAME>")
	delete(got, temporalHeaders+"<NAME>")
	for name := range temporalForms {
		require.Contains(t, got, strings.Replace(name, "_DATA", "_PATH", 1)) // is documented as "or `…_DATA`"
	}
	for name := range got {
		require.Contains(t, temporalForms, name)
	}
}

// The same of the variables of OpenTelemetry by which there are traces.
func TestVariablesOfTracesAreDocumented(t *testing.T) {
	got := documented(t, "Traces")
	read := append([]string{otelDisabled, otelExporter, otelEndpoint, otelTracesEndpoint, otelProtocol, otelTracesProtocol}, otelHeaders...)
	require.ElementsMatch(t, read, slices.Collect(maps.Keys(got)))
}

// The README speaks of variables that there are.
func TestVariablesOfTheReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	known := slices.Collect(maps.Keys(allForms()))
	found := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		for _, name := range quoted.FindAllStringSubmatch(cells[1], -1) {
			if variable := regexp.MustCompile(`^[A-Z][A-Z0-9_]+$`); variable.MatchString(name[1]) {
				require.Contains(t, known, name[1])
				found++
			}
		}
	}
	require.Greater(t, found, 10)
}

// A misspelt form would be that of a word, and one that is a list's text checked as nothing.
func TestFormsAreKnown(t *testing.T) {
	for _, configuration := range []reflect.Type{reflect.TypeFor[Producer](), reflect.TypeFor[Consumer](), reflect.TypeFor[Standalone](), reflect.TypeFor[PreviousBundle]()} {
		for _, field := range reflect.VisibleFields(configuration) {
			require.Contains(t, forms, field.Tag.Get("form"), field.Name)
			if guard, ok := field.Tag.Lookup("guard"); ok {
				require.Equal(t, "true", guard, field.Name)
			}
		}
	}
}

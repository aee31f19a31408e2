package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// variables is an environment, by name.
type variables map[string]string

func (v variables) isSet(name string) bool {
	_, set := v[name]
	return set
}

// setting is a variable as a field's tags declare it.
type setting struct {
	name  string
	field string
	form  textForm
	guard bool
}

// settingsOfType lists the variables of a configuration.
func settingsOfType(configuration reflect.Type) (settings []setting) {
	for _, field := range reflect.VisibleFields(configuration) {
		if name, _, _ := strings.Cut(field.Tag.Get("env"), ","); name != "" && name != "-" {
			settings = append(settings, setting{name, field.Name, forms[field.Tag.Get("form")], field.Tag.Get("guard") != ""})
		}
	}
	return settings
}

// load reads an environment into a configuration, which complete then fills in and checks as a whole. A configuration
// with a problem is not returned.
func load[C any](environ []string, complete func(*C, variables) []error) (C, error) {
	v, problems := variables(env.ToMap(environ)).withOwnNames()
	settings := settingsOfType(reflect.TypeFor[C]())
	clean, malformed := v.cleanTexts(settings)
	problems = append(problems, malformed...)
	c, err := env.ParseAsWithOptions[C](env.Options{Environment: clean, FuncMap: parsers})
	problems = append(problems, parseProblems(err, settings, v, clean)...)
	problems = append(problems, thirdPartyProblems(v, settings)...)
	problems = append(problems, furtherProblems(complete(&c, v), problems)...)
	if err := joinProblems(problems); err != nil {
		return *new(C), err
	}
	return c, nil
}

// furtherProblems leaves out those of variables that have one already: what could not be read is zero, which nobody has said.
func furtherProblems(found, known []error) (further []error) {
	for _, p := range found {
		sameVariable := func(k error) bool { return k != nil && variableOf(k) == variableOf(p) }
		if p != nil && !slices.ContainsFunc(known, sameVariable) {
			further = append(further, p)
		}
	}
	return further
}

// variableOf is the name with which a problem's text begins.
func variableOf(problem error) string {
	name, _, _ := strings.Cut(problem.Error(), " ")
	return strings.TrimSuffix(name, ":")
}

// cleanTexts returns the settings' texts without the white space around them. It leaves out texts that do not have
// the setting's form, and returns those problems.
func (v variables) cleanTexts(settings []setting) (clean variables, problems []error) {
	clean = variables{}
	for _, s := range settings {
		switch text, err := v.text(s.name, s.form); {
		case err != nil:
			problems = append(problems, err)
		case text != "":
			clean[s.name] = text
		case s.guard && v.isSet(s.name):
			// An empty value is more likely a mistake than a decision.
			problems = append(problems, fmt.Errorf("%s is set to nothing: less is checked without it, so unset it if that is meant", s.name))
		}
	}
	return clean, problems
}

// parseProblems describes which of the clean texts could not be parsed.
func parseProblems(err error, settings []setting, v, clean variables) (problems []error) {
	var all env.AggregateError
	if err != nil && !errors.As(err, &all) {
		return []error{err}
	}
	for _, err := range all.Errors {
		var empty env.EmptyVarError
		var parse env.ParseError
		switch {
		case errors.As(err, &empty):
			if v[empty.Key] == "" { // else it has another problem
				problems = append(problems, fmt.Errorf("%s is not set", empty.Key))
			}
		case errors.As(err, &parse):
			s := settings[slices.IndexFunc(settings, func(s setting) bool { return s.field == parse.Name })]
			switch word, ok := typeNames[parse.Type.String()]; {
			case ok:
				problems = append(problems, fmt.Errorf("%s is not %s", s.name, word))
			case s.form.list:
				problems = append(problems, describeMistake(s.name, clean[s.name], parse.Err))
			default:
				problems = append(problems, fmt.Errorf("%s: %w", s.name, parse.Err))
			}
		default:
			problems = append(problems, err)
		}
	}
	return problems
}

// typeNames describe Go's types for people who do not write Go.
var typeNames = map[string]string{
	"bool": "true or false", "int": "a whole number", "float64": "a number", "time.Duration": "a duration such as 90s or 24h",
}

func joinProblems(problems []error) error {
	var texts []string
	for _, p := range problems {
		if p != nil {
			texts = append(texts, p.Error())
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return errors.New("configuration:\n  " + strings.Join(texts, "\n  "))
}

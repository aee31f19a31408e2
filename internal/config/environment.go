package config

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/caarlos0/env/v11"
)

// load parses the environment. What cannot be parsed is named by its variable.
func load[T any](environ []string) (T, variables, []error) {
	v := variables(env.ToMap(environ))
	c, err := env.ParseAsWithOptions[T](env.Options{Environment: v})
	var all env.AggregateError
	if !errors.As(err, &all) {
		if err != nil {
			return c, v, []error{err}
		}
		return c, v, nil
	}
	var problems []error
	for _, err := range all.Errors {
		var empty env.EmptyVarError
		var parse env.ParseError
		switch {
		case errors.As(err, &empty):
			problems = append(problems, fmt.Errorf("%s is not set", empty.Key))
		case errors.As(err, &parse):
			problems = append(problems, fmt.Errorf("%s is not %s", variable(c, parse.Name), cmp.Or(typeWords[parse.Type.String()], parse.Type.String())))
		default:
			problems = append(problems, err)
		}
	}
	return c, v, problems
}

// typeWords say to those who do not write Go what a variable has to be.
var typeWords = map[string]string{
	"bool": "true or false", "int": "a whole number", "float64": "a number", "time.Duration": "a duration such as 90s or 24h",
}

func variable(c any, field string) string {
	f, ok := reflect.TypeOf(c).FieldByName(field)
	if !ok {
		return field
	}
	name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
	return name
}

func join(problems []error) error {
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

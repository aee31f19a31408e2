package workflows_test

import (
	"encoding"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

const payloads = "testdata/payloads.txt"

// payloadNames collects the JSON names of what travels through histories.
type payloadNames struct {
	*testing.T
	paths []string
}

// function takes in what a workflow or an activity is given, after its context, and what it returns.
func (n *payloadNames) function(name string, f reflect.Type, context int) {
	for i := context + 1; i < f.NumIn(); i++ {
		n.add(fmt.Sprintf("%s(%d)", name, i-context), f.In(i))
	}
	n.add(name+" returns", f.Out(0))
}

func (n *payloadNames) add(path string, t reflect.Type) {
	switch {
	case t.Kind() == reflect.Pointer, t.Kind() == reflect.Slice, t.Kind() == reflect.Map:
		n.add(path, t.Elem())
	case t.Kind() != reflect.Struct || t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		n.paths = append(n.paths, path)
	default:
		for i := range t.NumField() {
			field := t.Field(i)
			tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			switch {
			case tag == "-" || !field.IsExported():
			case tag == "" && field.Anonymous:
				n.add(path, field.Type)
			case tag == "":
				n.Errorf("%s.%s has no JSON name: histories would have that of the Go field", t, field.Name)
			default:
				n.add(path+"."+tag, field.Type)
			}
		}
	}
}

// TestPayloadNames keeps the names of what travels through histories, as runs in flight and the next cycle read them: what is
// called so in Go may be renamed, these may not. With -record it keeps those that are new.
func TestPayloadNames(t *testing.T) {
	names := &payloadNames{T: t}
	for name, workflow := range map[string]any{
		"ProducerSync": workflows.ProducerSync, "ProduceProject": workflows.ProduceProject,
		"ConsumerSync": workflows.ConsumerSync, "ConsumeProject": workflows.ConsumeProject, "PushEvents": workflows.PushEvents,
		"PauseSync": workflows.PauseSync,
	} {
		names.function(name, reflect.TypeOf(workflow), 0)
	}
	names.add(contract.SignalPush, reflect.TypeFor[contract.Push]())
	for _, steps := range []reflect.Type{reflect.TypeFor[*activities.Producer](), reflect.TypeFor[*activities.Consumer]()} {
		for i := range steps.NumMethod() {
			names.function(steps.Method(i).Name, steps.Method(i).Type, 1)
		}
	}
	if *record {
		slices.Sort(names.paths)
		require.NoError(t, os.WriteFile(payloads, []byte(strings.Join(slices.Compact(names.paths), "\n")+"\n"), 0o644))
	}
	recorded, err := os.ReadFile(payloads)
	require.NoError(t, err)
	for path := range strings.Lines(string(recorded)) {
		require.Contains(t, names.paths, strings.TrimSpace(path), "runs in flight have it: docs/contributing.md, Changing workflow code")
	}
}

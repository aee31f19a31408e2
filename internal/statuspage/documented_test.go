package statuspage

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/fleet"
)

// fields collects the names that a type has as JSON.
func fields(of reflect.Type, names map[string]bool) {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		fields(of.Elem(), names)
	case reflect.Struct:
		if of == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range of.NumField() {
			if name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ","); name != "" {
				names[name] = true
			}
			fields(of.Field(i).Type, names)
		}
	}
}

// Programs go by these names: what is served is documented, and nothing else is.
func TestFieldsAreDocumented(t *testing.T) {
	document, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(document), "\n### The status page\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	documented := map[string]bool{}
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| ") {
			for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(line, -1) {
				documented[name[1]] = true
			}
		}
	}
	for _, state := range states {
		require.Contains(t, documented, string(state))
		delete(documented, string(state))
	}
	served := map[string]bool{}
	fields(reflect.TypeFor[fleet.View](), served)
	require.Equal(t, served, documented)
}

// The numbers of the document are those that count.
func TestNumbersAreDocumented(t *testing.T) {
	document, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	require.Equal(t, []int{200, 5, 3600}, []int{rowsPerPage, minRefresh, maxRefresh})
	require.Contains(t, string(document), "A page has 200 syncs.")
	require.Contains(t, string(document), "every 30 seconds (5 to 3600)")
	require.Equal(t, time.Hour, longWithoutCycle)
	require.Contains(t, string(document), "no complete cycle for an hour")
}

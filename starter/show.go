package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// maxShownLength is how much of one text is shown, in characters.
const maxShownLength = 8 << 10

// printForeign prints what happened, and to what. Whatever is read from Temporal may have words of others
// in it, and this is where a terminal would act on them.
func printForeign(w io.Writer, what, text string) {
	_, _ = fmt.Fprintln(w, what, strings.ReplaceAll(foreign.Text(text, maxShownLength), "\n", "\n       "))
}

package command

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// maxShownLength is how many characters of one text are shown.
const maxShownLength = 8 << 10

// secrets are those that the environment has: a worker's, where check is run.
var secrets = sync.OnceValue(func() *foreign.Mask { return foreign.NewMask(config.Secrets(os.Environ())...) })

// printForeign prints what happened, and to what. Whatever is read from Temporal, or from the servers, may have words of
// others in it, and this is where a terminal would act on them.
func printForeign(w io.Writer, what, text string) { printColoured(w, coloured(w), what, text) }

// printColoured is printForeign for a writer that leads to a terminal or does not.
func printColoured(w io.Writer, colours bool, what, text string) {
	if colour := colourOf[what]; colours && colour != "" {
		what = colour + what + "\x1b[0m"
	}
	_, _ = fmt.Fprintln(w, what, strings.ReplaceAll(secrets().Text(text, maxShownLength), "\n", "\n       "))
}

// colourOf are the colours of what happened, as terminals take them.
var colourOf = map[string]string{
	"synced": "\x1b[32m", "failed": "\x1b[31m", "starter:": "\x1b[31m", "warning:": "\x1b[33m", "paused": "\x1b[33m", "would": "\x1b[36m",
}

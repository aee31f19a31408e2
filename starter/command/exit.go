package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc/codes"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// The exit codes, as docs/operations.md has them.
const (
	exitFailed      = 1   // a sync, or the command itself
	exitUsage       = 2   // the command line, or the environment
	exitBehind      = 2   // with status --exit-code: some are behind
	exitFailing     = 3   // with status --exit-code: some fail
	exitTimeout     = 4   // the time of --timeout was up, most often because no worker is there
	exitInterrupted = 130 // by Ctrl-C: 128 and the signal's number, as shells have it
)

// The kinds of failures that are the starter's own. All others are those of docs/errors.md.
const (
	kindFailed      = "Failed"
	kindUsage       = "Usage"
	kindTimeout     = "Timeout"
	kindInterrupted = "Interrupted"
)

// ending is an error that says how the program ends.
type ending struct {
	error
	code int
	kind string
	// shown says that the output has told of it, so that in JSON nothing more is said.
	shown bool
}

func (e *ending) Unwrap() error { return e.error }

// usagef is an error in what was asked for, or in the environment: to ask again would not help.
func usagef(format string, args ...any) error {
	return &ending{error: fmt.Errorf(format, args...), code: exitUsage, kind: kindUsage}
}

// shownf is an error of which the output has told already.
func shownf(code int, format string, args ...any) error {
	return &ending{error: fmt.Errorf(format, args...), code: code, kind: kindFailed, shown: true}
}

// errTimeIsUp is the cause of contexts that --timeout has ended.
var errTimeIsUp = errors.New("the time of --timeout is up")

// awaitDeadline waits for the end of a context whose deadline the server has kept to a little early, which is told of it.
func awaitDeadline(ctx context.Context, err error) {
	deadline, timed := ctx.Deadline()
	if code, _ := contract.GRPCCode(contract.ServerError(err)); timed && code == codes.DeadlineExceeded && time.Until(deadline) < time.Second {
		<-ctx.Done()
	}
}

// stopped returns why nobody waits any longer, and what that leaves behind. If err is of something else, it returns nil.
func stopped(ctx context.Context, err error, leaves string) error {
	awaitDeadline(ctx, err)
	switch {
	case ctx.Err() == nil:
		return nil
	case errors.Is(context.Cause(ctx), errTimeIsUp):
		return &ending{error: fmt.Errorf("%w: %s", errTimeIsUp, leaves), code: exitTimeout, kind: kindTimeout}
	default:
		return &ending{error: fmt.Errorf("interrupted: %s", leaves), code: exitInterrupted, kind: kindInterrupted}
	}
}

// outcomeOf is the one place that says which error ends the program with which code, and what its kind is in JSON.
func outcomeOf(err error) ending {
	if end, ok := errors.AsType[*ending](err); ok {
		return ending{error: err, code: end.code, kind: end.kind, shown: end.shown}
	}
	kind := kindFailed
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok && failed.Type() != "" {
		kind = failed.Type()
	}
	return ending{error: err, code: exitFailed, kind: kind}
}

// wantsJSON says whether args ask for JSON, also if they are wrong otherwise.
func wantsJSON(args []string) bool {
	for i, arg := range args {
		name, value, joined := strings.Cut(arg, "=")
		if name = strings.TrimLeft(name, "-"); !strings.HasPrefix(arg, "-") || name != "o" && name != "output" {
			continue
		}
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		return value == formatJSON
	}
	return false
}

// printErrorJSON prints an error for programs.
func printErrorJSON(w io.Writer, end ending) {
	_ = json.NewEncoder(w).Encode(struct {
		Error string `json:"error"`
		Kind  string `json:"kind"`
	}{secrets().Text(end.Error(), maxShownLength), end.kind}) // who does not read it reads the exit code
}

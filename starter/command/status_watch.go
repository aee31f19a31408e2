package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"
)

// watchInterval is how long it is waited from one look to the next. Each is a plan.
const watchInterval = 5 * time.Second

const clearScreen = "\x1b[H\x1b[2J\x1b[3J"

// watchStatus shows again and again how syncs are, until Ctrl-C: on a terminal in the same place.
func (s roleClient) watchStatus(ctx context.Context, show func(context.Context, io.Writer) error) error {
	for {
		var text bytes.Buffer
		err := show(ctx, &text)
		if ctx.Err() != nil {
			if left := stopped(ctx, err, "nothing else was started"); outcomeOf(left).code != exitInterrupted {
				return left
			}
			return nil
		}
		if err != nil && !outcomeOf(err).shown {
			return err
		}
		before := ""
		if isTerminal(s.console.out) {
			before = clearScreen
		}
		if _, err := fmt.Fprintf(s.console.out, "%s%s", before, text.Bytes()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchInterval):
		}
	}
}

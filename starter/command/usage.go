package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// strictly has a command and all below it refuse what they do not know, in one line and with a hint.
func strictly(command *cli.Command) *cli.Command {
	command.OnUsageError = func(_ context.Context, c *cli.Command, err error, _ bool) error { return usageOf(c, err) }
	if command.ArgValidator == nil {
		command.ArgValidator = refuseUnknown
	}
	if command.Action == nil {
		command.Action = refuseNone
	}
	action := command.Action
	command.Action = func(ctx context.Context, c *cli.Command) error {
		if err := action(ctx, c); err != nil {
			return &fromAction{err}
		}
		return nil
	}
	for _, sub := range command.Commands {
		strictly(sub)
	}
	return command
}

// fromAction is an error of a command that was understood. All others are about the command line.
type fromAction struct{ error }

func (e *fromAction) Unwrap() error { return e.error }

// asUsage makes an error a usage error unless it is of a command's action.
func asUsage(err error) error {
	if _, acted := errors.AsType[*fromAction](err); err == nil || acted {
		return err
	}
	if _, known := errors.AsType[*ending](err); known {
		return err
	}
	return usagef("%w", err)
}

// usageOf adds to what the library says of a flag which one was meant, and where to look.
func usageOf(c *cli.Command, err error) error {
	text := strings.ToLower(err.Error()[:1]) + err.Error()[1:]
	if name, unknown := strings.CutPrefix(text, "flag provided but not defined: -"); unknown {
		return usagef("unknown flag %s%s %s", dashed(name), didYouMean(name, strings.TrimLeft(cli.SuggestFlag(flagsAt(c), name, false), "-"), dashed), seeHelp(c))
	}
	return usagef("%s %s", text, seeHelp(c))
}

// flagsAt are the flags that a command takes, with those of the commands above it that are for all.
func flagsAt(c *cli.Command) []cli.Flag {
	return append(slices.Clone(c.Flags), c.VisiblePersistentFlags()...)
}

// refuseUnknown refuses commands that are not there, and arguments of commands that take none.
func refuseUnknown(_ context.Context, c *cli.Command) error {
	if !c.Args().Present() || c.ArgsUsage != "" {
		return nil
	}
	name := c.Args().First()
	if len(c.VisibleCommands()) > 0 {
		same := func(name string) string { return name }
		return usagef("unknown command %q%s %s", name, didYouMean(name, cli.SuggestCommand(c.VisibleCommands(), name), same), seeHelp(c))
	}
	return usagef("%q takes no arguments, and was given %q %s", c.FullName(), name, seeHelp(c))
}

// refuseWrongNames refuses arguments that are no destinations, before anything is asked.
func refuseWrongNames(_ context.Context, c *cli.Command) error {
	if _, err := (contract.CycleInput{Only: c.Args().Slice()}).Subset(); err != nil {
		return usagef("%s %s", strings.TrimPrefix(err.Error(), "only: "), seeHelp(c))
	}
	return nil
}

// refuseNone is what commands do that only have others below them.
func refuseNone(_ context.Context, c *cli.Command) error {
	names := []string{}
	for _, sub := range c.VisibleCommands() {
		names = append(names, sub.Name)
	}
	return usagef("say which command of %q: %s", c.FullName(), strings.Join(names, ", "))
}

// didYouMean is the question after a name that is not known. The library has an answer to everything: one that begins otherwise is
// none.
func didYouMean(name, suggestion string, show func(string) string) string {
	if name == "" || suggestion == "" || name[0] != suggestion[0] {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", show(suggestion))
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

func seeHelp(c *cli.Command) string { return fmt.Sprintf("(see %q)", c.FullName()+" --help") }

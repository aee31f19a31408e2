package command

import (
	"io"
	"os"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"
)

// console is where the starter writes: results to out, everything else to err.
type console struct {
	out, err io.Writer
	// quiet leaves out how it goes; verbose shows it where nobody looks, too.
	quiet, verbose bool
	// live is where it is drawn how it goes; nil where lines are written.
	live *live
	// synced is how many of the report's lines of what was synced have been shown.
	synced int
}

func newConsole(c *cli.Command) *console {
	return &console{out: c.Root().Writer, err: c.Root().ErrWriter, quiet: c.Bool("quiet"), verbose: c.Bool("verbose")}
}

// note says at once what whoever waits should know, also with --quiet.
func (c *console) note(text string) { c.say("...", text) }

// say prints what happened, and to what.
func (c *console) say(what, text string) {
	if c.live != nil {
		c.live.print(func(w io.Writer) { printColoured(w, coloured(c.err), what, text) })
		return
	}
	printForeign(c.err, what, text)
}

// showsProgress says whether it is shown how it goes. Where the result is for programs, that is on a terminal or with --verbose only.
func (c *console) showsProgress(json bool) bool {
	return !c.quiet && (!json || c.verbose || isTerminal(c.err))
}

// seen is how many of the report's lines of what was synced whoever reads out has seen: all that were shown, if both are one terminal.
func (c *console) seen() int {
	if !sameFile(c.out, c.err) {
		return 0
	}
	return c.synced
}

// sameFile says whether both write to one terminal, or one file.
func sameFile(a, b io.Writer) bool {
	one, ok1 := a.(*os.File)
	other, ok2 := b.(*os.File)
	if !ok1 || !ok2 {
		return false
	}
	of1, err1 := one.Stat()
	of2, err2 := other.Stat()
	return err1 == nil && err2 == nil && os.SameFile(of1, of2)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// coloured says whether colours may be written to w: it is a terminal that has them, and NO_COLOR (no-color.org) is not set.
func coloured(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

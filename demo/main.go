// Command demo runs both sides of the partition on this machine, with everything that they
// need, and shows how branches cross it. It is run by "make demo" in the module's root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// dir is created anew by each start.
const dir = ".demo"

// deadline is how long the first sync, and one more commit or tag, may take with -once.
const deadline = 2 * time.Minute

const (
	// pollEvery is how often the consumer looks whether the producer's catalog has changed, and reconcileEvery how often it
	// looks at everything.
	pollEvery      = time.Second
	reconcileEvery = time.Minute
)

func main() {
	once := flag.Bool("once", false, "exit when everything is synced, and one more commit and tag too; fail when it is not in time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, *once)
	if ctx.Err() != nil && !*once {
		err = nil // Ctrl-C is how the demo ends
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, once bool) (err error) {
	binaries, err := stack.FindServers(".")
	if err != nil {
		return err
	}
	binaries.Worker, binaries.Starter = "bin/worker", "bin/starter"
	if err := errors.Join(stack.Isolate(), os.RemoveAll(dir)); err != nil {
		return err
	}
	fmt.Printf("Starting both sides of the partition below %s\n\n", dir)
	pages, err := healthAddresses()
	if err != nil {
		return err
	}
	s, err := stack.Start(ctx, stack.Options{
		Dir:      dir,
		Binaries: binaries,
		LFS:      true,
		Environ: map[stack.Role][]string{
			stack.Producer: {"STATUS_PAGE=true", "HEALTH_ADDRESS=" + pages[stack.Producer]},
			stack.Consumer: {"STATUS_PAGE=true", "HEALTH_ADDRESS=" + pages[stack.Consumer], "POLL_INTERVAL=" + pollEvery.String()},
		},
		Started: func(part, where string) { fmt.Printf("  %-24s %s\n", part, where) },
	})
	if err != nil {
		return err
	}
	defer func() {
		fmt.Println("\nStopping ...")
		err = errors.Join(err, s.Close())
	}()
	texture, err := createContent(ctx, s)
	if err != nil {
		return err
	}
	if err := writeWorkerScripts(s); err != nil {
		return err
	}
	for role, every := range map[stack.Role]time.Duration{stack.Producer: stack.CycleEvery, stack.Consumer: reconcileEvery} {
		if out, err := s.Starter(ctx, role, "setup"); err != nil { // so that the searches of the documents work
			return fmt.Errorf("set up the %s: %w: %s", role, err, out)
		}
		if out, err := s.Starter(ctx, role, "schedule", "create", "--every", every.String()); err != nil {
			return fmt.Errorf("schedule the %s: %w: %s", role, err, out)
		}
	}
	if once {
		return verify(ctx, s, texture)
	}
	return showUntilInterrupted(ctx, s, pages)
}

// showUntilInterrupted keeps the table up to date until Ctrl-C.
func showUntilInterrupted(ctx context.Context, s *stack.Stack, pages map[stack.Role]string) error {
	fmt.Printf("\nThe first sync. The producer looks at its sources every %s, the consumer at the\nproducer's catalog every %s:\n\n", stack.CycleEvery, pollEvery)
	screen := newScreen(os.Stdout)
	if err := screen.watch(ctx, s, stack.InSync); err != nil {
		return err
	}
	if err := printGuide(ctx, os.Stdout, s, pages); err != nil {
		return err
	}
	screen.detach()
	return screen.watch(ctx, s, func([]stack.State) bool { return false })
}

// verify waits until everything has arrived, the large file included, then until one more commit has, and then until a new tag has.
func verify(ctx context.Context, s *stack.Stack, texture lfs.Object) error {
	screen := newScreen(os.Stdout)
	fmt.Printf("\nThe first sync:\n\n")
	first, err := awaitSync(ctx, s, screen)
	if err == nil {
		err = verifyAssets(s, texture)
	}
	if err != nil {
		return err
	}
	commit, err := s.Source.Commit(ctx, "platform/router", "main", map[string]string{"NEWS": "one more\n"}, "one more commit")
	if err != nil {
		return err
	}
	fmt.Printf("\nOne more commit, %.7s on platform/router@main:\n\n", commit)
	screen.detach()
	second, err := awaitSync(ctx, s, screen)
	if err != nil {
		return err
	}
	if err := release(ctx, s, "v1.1", "main"); err != nil {
		return err
	}
	fmt.Printf("\nA new tag, v1.1 of platform/library:\n\n")
	screen.detach()
	third, err := awaitSync(ctx, s, screen)
	if err != nil {
		return err
	}
	fmt.Printf("\nEverything is in sync: first after %s, one more commit after %s, a new tag after %s\n",
		first.Round(100*time.Millisecond), second.Round(100*time.Millisecond), third.Round(100*time.Millisecond))
	fmt.Println(describeCatalog(ctx, s, time.Now()))
	return nil
}

// awaitSync waits until every destination equals its source, and says how long it took.
func awaitSync(ctx context.Context, s *stack.Stack, screen *screen) (time.Duration, error) {
	started := time.Now()
	limited, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	err := screen.watch(limited, s, stack.InSync)
	if err == nil || ctx.Err() != nil {
		return time.Since(started), err
	}
	err = fmt.Errorf("not in sync after %s", deadline)
	for _, role := range stack.Roles {
		if failure := s.LastFailure(ctx, role); failure != nil {
			err = fmt.Errorf("%w\nthe %s's last cycle: %w", err, role, failure)
		}
	}
	return 0, err
}

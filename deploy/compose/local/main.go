// Command local is what docker-compose.yml needs besides the product and its servers: it fills
// these servers, and serves the list of syncs. All of it may be run again: what is there stays.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = "usage: local keys PRODUCER-FOLDER CONSUMER-FOLDER | bucket | forge source|destination SYNCS-FILE | graphql SYNCS-FILE | dial HOST:PORT"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv); err != nil { //nolint:forbidigo // this is a main
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, env func(string) string) error {
	switch {
	case len(args) == 3 && args[0] == "keys":
		return makeKeys(args[1], args[2])
	case len(args) == 1 && args[0] == "bucket":
		return provisionBucket(ctx, env)
	case len(args) == 3 && args[0] == "forge":
		return provisionForge(ctx, args[1], args[2], env)
	case len(args) == 2 && args[0] == "graphql":
		return serveGraphQL(ctx, args[1], env("GRAPHQL_USERNAME"), env("GRAPHQL_PASSWORD"))
	case len(args) == 2 && args[0] == "dial":
		return dial(ctx, args[1])
	}
	return errors.New(usage)
}

// dial succeeds when somebody listens at the address. It is the health check of containers without a
// shell, and shows which side can reach what.
func dial(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

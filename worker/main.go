// Command worker runs the workflows and activities of one side. It is configured by its
// environment; docs/configuration.md lists the variables.
package main

import (
	"os"

	"github.com/app-sre/git-partition-sync/worker/service"
)

func main() { os.Exit(service.Main(os.Args)) }

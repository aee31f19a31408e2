// Command starter starts, stops and shows the syncs of one side.
package main

import (
	"os"

	"github.com/app-sre/git-partition-sync/starter/command"
)

func main() { os.Exit(command.Main(os.Args)) }

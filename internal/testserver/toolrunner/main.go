// Toolrunner runs programs one after the other, and tells what each has used. The kernel counts as a program's memory what the process had
// that it was forked from: this one has little, and the tests much.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Request is a program to run, a line of JSON on standard input.
type Request struct {
	Dir     string   `json:"dir"`
	Environ []string `json:"environ"`
	Args    []string `json:"args"`
	Input   string   `json:"input"`
}

// Response is what became of it, a line of JSON on standard output.
type Response struct {
	Output string        `json:"output"`
	Error  string        `json:"error,omitempty"`
	CPU    time.Duration `json:"cpu_nanoseconds"` // with its children's
	Peak   int64         `json:"peak_bytes"`      // of the largest among it and its children
}

func main() {
	requests, responses := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var r Request
		err := requests.Decode(&r)
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = responses.Encode(run(r))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "toolrunner:", err)
			os.Exit(1)
		}
	}
}

func run(r Request) (response Response) {
	cmd := exec.Command(r.Args[0], r.Args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin = r.Dir, r.Environ, strings.NewReader(r.Input)
	output, err := cmd.CombinedOutput()
	response.Output = string(output)
	if err != nil {
		response.Error = err.Error()
	}
	if state := cmd.ProcessState; state != nil {
		response.CPU = state.UserTime() + state.SystemTime()
		response.Peak = state.SysUsage().(*syscall.Rusage).Maxrss << 10 // in KiB on Linux (getrusage(2))
	}
	return response
}

package main

import (
	"context"
	_ "embed"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"text/template"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

//go:embed guide.txt
var guideText string

var guideTemplate = template.Must(template.New("guide").Parse(guideText))

// printGuide prints what a person can try next, as commands to paste.
func printGuide(ctx context.Context, w io.Writer, s *stack.Stack, pages map[stack.Role]string) error {
	states, err := s.States(ctx)
	if err != nil {
		return err
	}
	object := ""
	for _, state := range states {
		if state.Object != nil { // the last one's project is changed by no other command
			object = s.ObjectFile(state.Object.Key)
		}
	}
	return guideTemplate.Execute(w, map[string]string{
		"UI":          s.Temporal.UI,
		"Producer":    pages[stack.Producer],
		"Consumer":    pages[stack.Consumer],
		"Address":     s.Temporal.Address,
		"Copy":        s.Destination.CloneURL("enclave/web/router"),
		"WorkerPID":   strconv.Itoa(s.Workers[stack.Consumer].PID()),
		"Dir":         dir,
		"Source":      s.Source.CloneURL("web/router"),
		"Library":     s.Source.CloneURL(library),
		"LibraryCopy": s.Destination.CloneURL("enclave/" + library),
		"AssetsCopy":  s.Destination.CloneURL("enclave/" + assets),
		"Syncs":       relative(s.SyncsFile()),
		"Identity":    relative(s.IdentityFile()),
		"Object":      relative(object),
	})
}

// relative shortens a path for display, to what it is from here.
func relative(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	short, err := filepath.Rel(here, path)
	if err != nil {
		return path
	}
	return short
}

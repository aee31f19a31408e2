package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// sideWith has a program in the place of the Temporal CLI.
func sideWith(t *testing.T, script string) *side {
	t.Helper()
	bin := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bin, "temporal"), []byte("#!/bin/sh\n"+script), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	return &side{Standalone: config.Standalone{TemporalPort: 39171}, workDir: t.TempDir(), namespace: "default"}
}

// Whoever ends it while its Temporal starts does not find a failure.
func TestInterruptedWhileTemporalStarts(t *testing.T) {
	s := sideWith(t, `touch "$HOME/started"; exec sleep 60`)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(s.workDir, "temporal", "started")); err == nil {
				cancel()
			}
		}
	}()
	require.NoError(t, s.serve(ctx))
}

func TestTemporalDoesNotStart(t *testing.T) {
	s := sideWith(t, "exit 1")
	err := s.serve(t.Context())
	require.ErrorContains(t, err, "exited before it was ready: exit status 1")
	require.ErrorContains(t, err, `delete "`+filepath.Join(s.workDir, "temporal", ".db")+`": only the history is lost`)

	// Others may have put something into its place.
	require.NoError(t, os.RemoveAll(filepath.Join(s.workDir, "temporal")))
	require.NoError(t, os.Symlink(t.TempDir(), filepath.Join(s.workDir, "temporal")))
	require.ErrorContains(t, s.serve(t.Context()), "is not a folder")
}

// scripted is a side with scripts in the place of the worker and the starter, and a Temporal elsewhere.
func scripted(t *testing.T, worker, starter string) *side {
	t.Helper()
	return &side{
		Standalone: config.Standalone{Every: time.Millisecond}, role: contract.Producer, workDir: t.TempDir(), address: "temporal.example.com:7233",
		environ: append(os.Environ(), "TEST_WORKER="+worker, "TEST_STARTER="+starter, "LEFT="+filepath.Join(t.TempDir(), "left")),
	}
}

const (
	// untilTold makes a note when it is told to end, and then ends.
	untilTold = `trap 'touch "$LEFT"; exit 0' TERM; touch "$LEFT.begun"; while :; do sleep 0.01; done`
	// afterwards waits for one that runs until it is told to end.
	afterwards = `until [ -e "$LEFT.begun" ]; do sleep 0.01; done; `
)

// left tells whether a script of the side was told to end.
func (s *side) left() bool {
	file, _ := config.Environ(s.environ).LookupEnv("LEFT")
	_, err := os.Stat(file)
	return err == nil
}

// A side ends with an error as soon as one of its programs ends by itself, and tells the others to end first.
func TestWhatEndsASide(t *testing.T) {
	t.Parallel()
	serve, once := (*side).serve, (*side).runOnce
	for name, tt := range map[string]struct {
		run             func(*side, context.Context) error
		worker, starter string
		want            string // "" is no error
		left            bool
	}{
		"service, its worker ends":           {serve, "sleep 0.5", "exit 0", "worker ended by itself", false},
		"service, its worker fails":          {serve, "sleep 0.5; exit 3", "exit 0", "worker: exit status 3", false},
		"service, its worker does not start": {serve, afterwards + "exit 3", untilTold, "worker ended by itself: exit status 3", true},
		"service without a schedule":         {serve, untilTold, afterwards + "exit 1", "starter: exit status 1", true},
		"one cycle":                          {once, untilTold, afterwards, "", true},
		"one cycle that fails":               {once, untilTold, afterwards + "exit 1", "starter: exit status 1", true},
		"one cycle, its worker ends":         {once, afterwards, untilTold, "worker ended by itself", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scripted(t, tt.worker, tt.starter)
			err := tt.run(s, t.Context())
			if tt.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, tt.want)
			}
			require.Equal(t, tt.left, s.left())
		})
	}
}

// Whoever ends a side finds no failure where it runs until it is told to.
func TestInterruptedSide(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		run             func(*side, context.Context) error
		worker, starter string
		want            error
	}{
		"service":                       {(*side).serve, untilTold, "exit 0", nil},
		"service without its schedule":  {(*side).serve, "exec sleep 60", untilTold, nil},
		"one cycle":                     {(*side).runOnce, "exec sleep 60", untilTold, errInterrupted},
		"one check":                     {func(s *side, ctx context.Context) error { return s.check(ctx, true) }, "", untilTold, errInterrupted},
		"checks, one after the other":   {func(s *side, ctx context.Context) error { return s.check(ctx, false) }, "", untilTold, nil},
		"checks, after one that failed": {func(s *side, ctx context.Context) error { return s.check(ctx, false) }, "", `[ -e "$LEFT.failed" ] || { touch "$LEFT.failed"; exit 1; }; ` + untilTold, nil},
		"checks, between two of them": {func(s *side, ctx context.Context) error { s.Every = time.Hour; return s.check(ctx, false) }, "",
			`touch "$LEFT" "$LEFT.begun"; exit 1`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scripted(t, tt.worker, tt.starter)
			file, _ := config.Environ(s.environ).LookupEnv("LEFT")
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				for _, err := os.Stat(file + ".begun"); err != nil && t.Context().Err() == nil; _, err = os.Stat(file + ".begun") {
					time.Sleep(time.Millisecond)
				}
				time.Sleep(100 * time.Millisecond)
				cancel()
			}()
			require.ErrorIs(t, tt.run(s, ctx), tt.want)
			require.True(t, s.left())
		})
	}
}

// A check that is made once has the exit status that it has.
func TestOneCheck(t *testing.T) {
	t.Parallel()
	require.NoError(t, scripted(t, "", "exit 0").check(t.Context(), true))
	require.EqualError(t, scripted(t, "", "exit 1").check(t.Context(), true), "starter: exit status 1")
}

// Whatever the side knows that is secret, its Temporal does not.
func TestTemporalIsToldNoSecrets(t *testing.T) {
	s := sideWith(t, `env >"$HOME/environ"; exit 1`)
	for _, name := range []string{"PRIVATE_KEY", "GITLAB_TOKEN", "AWS_SECRET_ACCESS_KEY", "TEMPORAL_API_KEY", "HTTPS_PROXY"} {
		t.Setenv(name, "canary")
		s.environ = append(s.environ, name+"=canary")
	}
	require.Error(t, s.serve(t.Context()))
	folder := filepath.Join(s.workDir, "temporal")
	environ, err := os.ReadFile(filepath.Join(folder, "environ"))
	require.NoError(t, err)
	require.NotContains(t, string(environ), "canary")
	for _, want := range []string{"USER=git-partition-sync\n", "HOME=" + folder + "\n", "TMPDIR=" + folder + "\n"} {
		require.Contains(t, string(environ), want)
	}
}

// consumerEnviron is what a consumer needs at least.
var consumerEnviron = []string{
	"PRIVATE_KEY=AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX", "WORKDIR=/work",
	"GITLAB_BASE_URL=https://gitlab.example.com", "GITLAB_USERNAME=u", "GITLAB_TOKEN=t", "AWS_REGION=r", "AWS_S3_BUCKET=b",
}

func TestSideFromTheEnvironment(t *testing.T) {
	t.Setenv("PUBLIC_KEY", "")
	t.Setenv("PRIVATE_KEY", "set")
	s, err := newSide("", append(consumerEnviron,
		"STANDALONE_TEMPORAL_PORT=7999", "STANDALONE_UI_ADDRESS=8233", "RECONCILE_SLEEP_TIME=90s", "DRAIN_TIMEOUT=7s", "TEMPORAL_NAMESPACE=syncs"))
	require.NoError(t, err)
	require.Equal(t, config.Standalone{TemporalPort: 7999, UI: "127.0.0.1:8233", Every: 90 * time.Second}, s.Standalone)
	require.Equal(t, contract.Consumer, s.role)
	require.Equal(t, 7*time.Second, s.drain)
	require.Equal(t, "syncs", s.namespace)
	require.Subset(t, s.environ, append(consumerEnviron, "SYNC_ROLE=consumer", "RECONCILE_SLEEP_TIME=1m30s"), "of the worker and the starter")

	for variable, problem := range map[string]string{
		"STANDALONE_UI_ADDRESS=http": "STANDALONE_UI_ADDRESS",
		"RECONCILE_SLEEP_TIME=soon":  "RECONCILE_SLEEP_TIME is not a duration",
		"GITLAB_TOKEN=":              "GITLAB_TOKEN is not set",
	} {
		_, err := newSide("", append(consumerEnviron, variable))
		require.ErrorContains(t, err, problem)
	}
	_, err = newSide("producer", consumerEnviron)
	require.ErrorContains(t, err, "PUBLIC_KEY is not set", "the role that is said counts")
}

func TestLinksLeadToTheUI(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ui      config.LocalAddress
		environ []string
		want    string
	}{
		"no UI":              {"", nil, ""},
		"of this machine":    {"127.0.0.1:8233", nil, "http://127.0.0.1:8233"},
		"of all addresses":   {"0.0.0.0:8233", []string{"TEMPORAL_UI_URL="}, "http://127.0.0.1:8233"},
		"behind a proxy":     {"127.0.0.1:8233", []string{"TEMPORAL_UI_URL=https://ui.example.com"}, "https://ui.example.com"},
		"of another machine": {"", []string{"TEMPORAL_UI_URL=https://ui.example.com"}, "https://ui.example.com"},
	} {
		s := &side{environ: tt.environ, Standalone: config.Standalone{UI: tt.ui}}
		s.linkToUI()
		got, _ := config.Environ(s.environ).LookupEnv("TEMPORAL_UI_URL")
		require.Equal(t, tt.want, got, name)
	}
}

// A key for a Temporal elsewhere is a mistake where no address says where that is.
func TestTemporalIsConfiguredWhole(t *testing.T) {
	t.Setenv("PUBLIC_KEY", "")
	t.Setenv("PRIVATE_KEY", "set")
	s, err := newSide("", consumerEnviron)
	require.NoError(t, err)
	require.Empty(t, s.address)
	require.Equal(t, "/work", s.workDir)
	for _, variable := range []string{"TEMPORAL_API_KEY=k", "TEMPORAL_TLS=true"} {
		_, err := newSide("", append(consumerEnviron, variable))
		require.ErrorContains(t, err, "but not the TEMPORAL_ADDRESS that they are for", variable)
		s, err := newSide("", append(consumerEnviron, variable, "TEMPORAL_ADDRESS=temporal.example.com:7233"))
		require.NoError(t, err)
		require.Equal(t, "temporal.example.com:7233", s.address)
	}
}

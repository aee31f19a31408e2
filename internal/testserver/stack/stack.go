// Package stack runs both sides of the partition on this machine, on free ports of the
// loopback interface and below one directory: for the demo, and for the end-to-end tests.
package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/testserver/graphqlserver"
	"github.com/app-sre/git-partition-sync/internal/testserver/s3server"
)

// Role is a side of the partition. Its Temporal namespace has the same name.
type Role string

// The two sides.
const (
	Producer Role = "producer"
	Consumer Role = "consumer"
)

// Roles are both sides.
var Roles = []Role{Producer, Consumer}

// Options say what to run and where.
type Options struct {
	Dir      string // everything is below it; made when it does not exist
	Binaries Binaries
	LFS      bool // of both Git servers
	// Environ replaces, for each side's workers, what WorkerEnviron says.
	Environ map[Role][]string
	// GitMiddleware sees each request to the Git server of a side first: the producer's is the source. It may be nil.
	GitMiddleware func(Role, http.Handler) http.Handler
	// WithoutWorkers leaves it to the caller to start these.
	WithoutWorkers bool
	// Started is told of each part that runs, and where. It may be nil.
	Started func(part, where string)
}

// Stack is everything that runs.
type Stack struct {
	Temporal    *Temporal
	S3          *s3server.Server
	Source      *GitServer
	Destination *GitServer
	Identity    *age.X25519Identity
	Workers     map[Role]*Worker
	// Binaries are what is run next: another worker or starter takes effect when it is started.
	Binaries Binaries

	options Options
	graphql *graphqlserver.Server
	// graphQLPassword is what the GraphQL server asks the producer for.
	graphQLPassword string
	// signingKey is the producer's, and verifyKey the consumer's half of it.
	signingKey, verifyKey string
	users                 map[Role]s3server.Credentials
	closers               []func() error
}

// Start starts all parts, one after the other. When one does not start, the
// others are stopped, and the error has the end of its log.
func Start(ctx context.Context, options Options) (_ *Stack, err error) {
	if options.Dir, err = filepath.Abs(options.Dir); err != nil {
		return nil, err
	}
	s := &Stack{options: options, Binaries: options.Binaries, Workers: map[Role]*Worker{}, graphQLPassword: rand.Text()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	for _, dir := range []string{s.logDir(), s.homeDir(), s.tempDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	if err := s.makeKeys(); err != nil {
		return nil, err
	}
	for _, start := range []func(context.Context) error{s.startTemporal, s.startS3, s.startGit, s.startGraphQL, s.startWorkers} {
		if err := start(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// makeKeys makes both key pairs: the one that objects are encrypted with, and the one that
// they are signed with.
func (s *Stack) makeKeys() (err error) {
	if s.Identity, err = age.GenerateX25519Identity(); err != nil {
		return err
	}
	if s.signingKey, s.verifyKey, err = sign.Generate(); err != nil {
		return err
	}
	return os.WriteFile(s.IdentityFile(), []byte(s.Identity.String()+"\n"), 0o600)
}

// Close stops everything, the workers first.
func (s *Stack) Close() error {
	var errs []error
	for _, role := range Roles {
		if w := s.Workers[role]; w != nil {
			errs = append(errs, w.Stop())
		}
	}
	for _, closer := range slices.Backward(s.closers) {
		errs = append(errs, closer())
	}
	s.closers = nil
	return errors.Join(errs...)
}

func (s *Stack) startGit(context.Context) (err error) {
	if s.Source, err = s.startGitServer(Producer, "source"); err != nil {
		return fmt.Errorf("source Git server: %w", err)
	}
	s.started("source Git server", s.Source.URL(), s.Source.Close)
	if s.Destination, err = s.startGitServer(Consumer, "destination"); err != nil {
		return fmt.Errorf("destination Git server: %w", err)
	}
	s.started("destination Git server", s.Destination.URL(), s.Destination.Close)
	return nil
}

func (s *Stack) startGraphQL(context.Context) (err error) {
	s.graphql, err = graphqlserver.Start(graphqlserver.Options{File: s.SyncsFile(), Username: graphQLUser, Password: s.graphQLPassword})
	if err != nil {
		return fmt.Errorf("GraphQL server: %w", err)
	}
	s.started("GraphQL server", s.graphql.URL(), s.graphql.Close)
	return nil
}

func (s *Stack) started(part, where string, closer func() error) {
	s.closers = append(s.closers, closer)
	if s.options.Started != nil {
		s.options.Started(part, where)
	}
}

// Dir is what everything is below.
func (s *Stack) Dir() string { return s.options.Dir }

// GraphQLURL is where the producer asks for what is to be synced.
func (s *Stack) GraphQLURL() string { return s.graphql.URL() }

// SyncsFile is what the GraphQL server reads for every query.
func (s *Stack) SyncsFile() string { return filepath.Join(s.options.Dir, "syncs.yaml") }

// IdentityFile holds the private key, as "age -i" takes it.
func (s *Stack) IdentityFile() string { return filepath.Join(s.options.Dir, "age.key") }

// WorkDir is the work directory of a side's worker.
func (s *Stack) WorkDir(role Role) string { return filepath.Join(s.options.Dir, "work", string(role)) }

func (s *Stack) logDir() string  { return filepath.Join(s.options.Dir, "logs") }
func (s *Stack) homeDir() string { return filepath.Join(s.options.Dir, "home") }
func (s *Stack) tempDir() string { return filepath.Join(s.options.Dir, "tmp") }

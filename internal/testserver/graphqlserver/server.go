// Package graphqlserver is a small App-Interface: a GraphQL server that executes
// real queries against the real schema, over the syncs of a YAML file that can be
// edited while it runs.
package graphqlserver

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"

	gophers "github.com/graph-gophers/graphql-go"
	"github.com/graph-gophers/graphql-go/relay"

	"github.com/app-sre/git-partition-sync/graphql"
)

// Options configures a server.
type Options struct {
	// File is the YAML file with the syncs. It is read for every query.
	File string

	// Username and Password are asked for, as basic authentication, when either is set.
	Username, Password string
}

// Server is a running server.
type Server struct {
	listener net.Listener
	http     *http.Server
	done     chan error
}

// maxRequest bounds a query, in bytes.
const maxRequest = 1 << 20

// Start serves on a free port of the loopback interface until Close.
func Start(opts Options) (*Server, error) {
	schema, err := gophers.ParseSchema(graphql.Schema, &query{file: opts.File}, gophers.UseFieldResolvers())
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	handler := http.MaxBytesHandler(&relay.Handler{Schema: schema}, maxRequest)
	s := &Server{
		listener: listener,
		http:     &http.Server{Handler: authenticate(handler, opts.Username, opts.Password)},
		done:     make(chan error, 1),
	}
	go func() { s.done <- s.http.Serve(listener) }()
	return s, nil
}

// URL is the GraphQL endpoint.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() + "/graphql" }

// Close stops the server, cutting off queries in progress.
func (s *Server) Close() error {
	err := s.http.Close()
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func authenticate(next http.Handler, username, password string) http.Handler {
	if username == "" && password == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, p, _ := r.BasicAuth()
		if !equal(u, username) || !equal(p, password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="graphql"`)
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

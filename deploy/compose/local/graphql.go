package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/app-sre/git-partition-sync/internal/testserver/graphqlserver"
)

// graphqlAddress is where other containers find the server.
const graphqlAddress = ":8080"

// serveGraphQL serves the syncs of a file until ctx is done. The demo's server listens on the
// loopback interface, so a proxy stands before it.
func serveGraphQL(ctx context.Context, file, username, password string) error {
	server, err := graphqlserver.Start(graphqlserver.Options{File: file, Username: username, Password: password})
	if err != nil {
		return err
	}
	target, err := url.Parse(server.URL())
	if err != nil {
		return errors.Join(err, server.Close())
	}
	target.Path = ""
	proxy := &http.Server{Addr: graphqlAddress, Handler: httputil.NewSingleHostReverseProxy(target), ReadHeaderTimeout: 10 * time.Second}
	stopped := context.AfterFunc(ctx, func() { _ = proxy.Close() })
	defer stopped()
	if err = proxy.ListenAndServe(); errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, server.Close())
}

// Package port finds ports for servers that take a number and no listener.
package port

import (
	"errors"
	"net"
)

const maxTries = 3

// Try has a server start at a free port, and at another one if it does not: another process may have taken the port.
func Try[S any](start func(address string) (S, error)) (server S, err error) {
	for range maxTries {
		var address string
		if address, err = Free(); err != nil {
			return server, err
		}
		if server, err = start(address); err == nil {
			return server, nil
		}
	}
	return server, err
}

// Free returns an address of 127.0.0.1 at which nothing listens, host:port. Linux gives its port to nobody who asks for any, for
// a minute: a connection to it is waiting to be forgotten (TIME_WAIT), and that keeps only those from it who do not name it.
func Free() (address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return "", errors.Join(err, l.Close())
	}
	server, err := l.Accept()
	if err != nil {
		return "", errors.Join(err, client.Close(), l.Close())
	}
	// The end that is closed first waits.
	return l.Addr().String(), errors.Join(server.Close(), client.Close(), l.Close())
}

// Package port finds ports for servers that take a number and no listener.
package port

import (
	"errors"
	"net"
)

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

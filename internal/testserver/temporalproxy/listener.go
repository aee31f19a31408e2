package temporalproxy

import (
	"net"
	"sync"
)

// listener knows its open connections, and can end them and refuse others.
type listener struct {
	net.Listener

	mu    sync.Mutex
	isCut bool
	open  map[net.Conn]bool
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		plain, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.taken(plain); c != nil {
			return c, nil
		}
		_ = plain.Close()
	}
}

func (l *listener) taken(plain net.Conn) net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isCut {
		return nil
	}
	c := &conn{plain, l}
	l.open[c] = true
	return c
}

func (l *listener) cut(isCut bool) {
	l.mu.Lock()
	l.isCut = isCut
	var open []net.Conn
	if isCut {
		for c := range l.open {
			open = append(open, c)
		}
	}
	l.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
}

type conn struct {
	net.Conn
	of *listener
}

func (c *conn) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

package toxiproxy

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/Shopify/toxiproxy/v2/client"
)

// Direction is that of the bytes that something happens to.
type Direction string

// The directions, in Toxiproxy's words.
const (
	Requests Direction = "upstream"
	Answers  Direction = "downstream"
)

// Toxic is what happens to all connections, in one direction.
type Toxic struct {
	kind       string
	attributes toxiproxy.Attributes
}

// Stall lets nothing through, and takes nothing either once the buffers on the way are full. What waits goes on when it is removed.
func Stall() Toxic { return Slow(0) }

// CutAfter ends each connection after so many bytes more.
func CutAfter(bytes int) Toxic { return Toxic{"limit_data", toxiproxy.Attributes{"bytes": bytes}} }

// Slow lets so many kB through in a second.
func Slow(kBPerSecond int) Toxic {
	return Toxic{"bandwidth", toxiproxy.Attributes{"rate": kBPerSecond}}
}

// Late has all bytes come later by so much.
func Late(by time.Duration) Toxic {
	return Toxic{"latency", toxiproxy.Attributes{"latency": by.Milliseconds()}}
}

// Proxy is a way to a server. Its methods may be called concurrently.
type Proxy struct {
	proxy  *toxiproxy.Proxy
	toxics atomic.Int32 // added so far, for their names
}

// URL is the proxy's, without a trailing slash.
func (p *Proxy) URL() string { return "http://" + p.proxy.Listen }

// Add has something happen to the connections that there are and those to come, until it is removed.
func (p *Proxy) Add(d Direction, t Toxic) (remove func() error, err error) {
	return p.add(d, t, 1)
}

func (p *Proxy) add(d Direction, t Toxic, share float32) (remove func() error, err error) {
	name := fmt.Sprintf("%s-%d", t.kind, p.toxics.Add(1))
	if _, err := p.proxy.AddToxic(name, t.kind, string(d), share, t.attributes); err != nil {
		return nil, err
	}
	return func() error { return p.proxy.RemoveToxic(name) }, nil
}

// Reset has connections that end be reset (RST), as by a firewall, in place of closed (FIN): also those that CutAfter ends. It
// ends those that there are.
func (p *Proxy) Reset() (undo func() error, err error) {
	// Toxiproxy makes connections so when they begin, whatever the share of those that it is to reset at once: none.
	undo, err = p.add(Answers, Toxic{"reset_peer", toxiproxy.Attributes{"timeout": 0}}, 0)
	if err != nil {
		return nil, err
	}
	return undo, errors.Join(p.Refuse(), p.Accept())
}

// Refuse ends all connections, and takes no others until Accept.
func (p *Proxy) Refuse() error { return p.enable(false) }

// Accept ends Refuse.
func (p *Proxy) Accept() error { return p.enable(true) }

func (p *Proxy) enable(enabled bool) error {
	changed := *p.proxy // the client writes the answer into it
	changed.Enabled = enabled
	return changed.Save()
}

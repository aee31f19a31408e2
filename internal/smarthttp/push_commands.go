package smarthttp

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// commandReader reads the beginning of a push: a pkt-line for each update, and the flush that ends them. There may be very
// many, so that each is made when it is read.
type commandReader struct {
	updates []RefUpdate
	caps    string // what the first line ends with
	ended   bool
	line    []byte // what is left of the current one
}

// commands returns the beginning of a push, and its size in bytes. It refuses what does not belong there, so that reading
// never fails.
func (c *Client) commands(req PushRequest) (commands *commandReader, size int64, err error) {
	if len(req.Updates) == 0 {
		return nil, 0, errors.New("nothing to push")
	}
	caps := "\x00 report-status side-band-64k agent=" + c.options.Agent
	if req.needsAtomic() {
		caps += " atomic"
	}
	size = int64(len(pktline.FlushPkt) + len(caps))
	named := make(map[string]struct{}, len(req.Updates))
	for _, update := range req.Updates {
		if err := update.check(); err != nil {
			return nil, 0, err
		}
		size += int64(packetHeader + len(update.command()))
		named[update.Ref] = struct{}{}
	}
	if len(named) < len(req.Updates) {
		return nil, 0, errors.New("one ref is to be updated twice")
	}
	return &commandReader{updates: req.Updates, caps: caps}, size, nil
}

func (r *commandReader) Read(b []byte) (int, error) {
	if len(r.line) == 0 {
		if r.ended {
			return 0, io.EOF
		}
		r.line = r.nextLine()
	}
	n := copy(b, r.line)
	r.line = r.line[n:]
	return n, nil
}

func (r *commandReader) nextLine() []byte {
	if len(r.updates) == 0 {
		r.ended = true
		return pktline.FlushPkt
	}
	command := r.updates[0].command() + r.caps
	r.updates, r.caps = r.updates[1:], ""
	return fmt.Appendf(nil, "%04x%s", packetHeader+len(command), command)
}

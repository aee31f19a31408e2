package smarthttp

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/stream"
)

var errTrailingData = errors.New("server sent data after the end of its answer")

const (
	packetHeader = 4 // bytes of a packet's length

	// maxSideBytes is enough for the progress messages of any push, and for signs of life every 5 seconds for months.
	maxSideBytes = 16 << 20
)

// maxLineLength is how many characters of one line of a server's words are kept.
const maxLineLength = 300

// pktReader reads pkt-lines (gitprotocol-common(5)). Unlike go-git's scanner, it tells whether the answer was cut
// off.
type pktReader struct {
	src  *stream.Reader // the scanner reports a cut within a packet's length as a malformed length
	scan *pktline.Scanner
	mask *foreign.Mask // for quoting lines

	// notFound tells whether the server's words mean that it has no such repository. Nil recognises none.
	notFound func(words string) bool
	unread   bool // the last packet comes again
}

func newPktReader(r io.Reader, mask *foreign.Mask) *pktReader {
	src := &stream.Reader{R: r}
	return &pktReader{src: src, scan: pktline.NewScanner(src), mask: mask}
}

// readPackets returns a reader for an answer of the client's server.
func (c *Client) readPackets(r io.Reader) *pktReader {
	pkts := newPktReader(r, c.mask)
	pkts.notFound = c.options.Forge.NotFound
	return pkts
}

// nextPacket returns a packet's payload, which is valid until the next call. It is empty for a flush packet. At the
// end of the stream, the error is io.ErrUnexpectedEOF.
func (p *pktReader) nextPacket() ([]byte, error) {
	if p.unread || p.scan.Scan() {
		p.unread = false
		return p.scan.Bytes(), nil
	}
	var remote *pktline.ErrorLine
	switch err := p.scan.Err(); {
	case errors.As(err, &remote):
		return nil, p.classifyRemoteError(remote.Text)
	case p.src.Err == io.EOF:
		return nil, io.ErrUnexpectedEOF
	default:
		return nil, err
	}
}

// requireEnd returns io.EOF when nothing follows, and errTrailingData otherwise.
func (p *pktReader) requireEnd() error {
	var b [1]byte
	if _, err := io.ReadFull(p.src, b[:]); err != nil {
		return err
	}
	return errTrailingData
}

// sideband is the data channel of a multiplexed answer (gitprotocol-pack(5)).
type sideband struct {
	pkts      *pktReader
	messages  foreign.Transcript // what the server says meanwhile
	sideBytes int                // bytes of packets that carried no data
	data      []byte             // what is left of the current packet
	err       error
}

// Read returns io.EOF only at the flush packet that closes the answer.
func (s *sideband) Read(b []byte) (int, error) {
	for len(s.data) == 0 && s.err == nil {
		s.data, s.err = s.nextData()
	}
	if len(s.data) == 0 {
		return 0, s.err
	}
	n := copy(b, s.data)
	s.data = s.data[n:]
	return n, nil
}

func (s *sideband) nextData() ([]byte, error) {
	const data, progress, failure = 1, 2, 3
	pkt, err := s.pkts.nextPacket()
	if err != nil {
		return nil, s.withServerText(err)
	}
	if len(pkt) == 0 {
		return nil, s.pkts.requireEnd()
	}
	switch pkt[0] {
	case data:
		if len(pkt) == 1 { // a sign of life
			return nil, s.countSideBytes(pkt)
		}
		return pkt[1:], nil
	case progress:
		_, _ = s.messages.Write(pkt[1:])
		return nil, s.countSideBytes(pkt)
	case failure:
		return nil, s.withServerText(s.pkts.classifyRemoteError(string(pkt[1:])))
	}
	return nil, fmt.Errorf("unknown side-band channel %d", pkt[0])
}

// countSideBytes bounds what a server can send besides the data.
func (s *sideband) countSideBytes(pkt []byte) error {
	if s.sideBytes += packetHeader + len(pkt); s.sideBytes > maxSideBytes {
		return s.withServerText(fmt.Errorf("%w: it says more than %d bytes beside its answer", ErrServerFailed, maxSideBytes))
	}
	return nil
}

// withServerText adds to an error what the server said, which may tell why it stopped.
func (s *sideband) withServerText(err error) error {
	if lines := s.messages.Lines(s.pkts.mask); len(lines) > 0 {
		return fmt.Errorf("%w: %s", err, strings.Join(lines, "; "))
	}
	return err
}

package smarthttp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

const (
	maxReport = 64 << 10 // bytes, beside a line for each ref

	unpackFailed  = "unpack failed: "
	atomicFailure = "atomic push failure" // what receive-pack says of refs that others have stopped
)

// readReport reads receive-pack's answer: the report-status in the side-band's data channel, and what the hooks print
// in the other. It fails with *RefusedError when a ref was not updated.
func readReport(pkts *pktReader, updates []RefUpdate) error {
	band := &sideband{pkts: pkts}
	limit := int64(maxReport)
	for _, update := range updates {
		limit += int64(len(update.Ref)) + maxLineLength
	}
	lines := newPktReader(io.LimitReader(band, limit), pkts.mask)
	report, err := readStatuses(lines, len(updates))
	switch {
	case err != nil && band.err != nil && band.err != io.EOF:
		return band.err
	case err != nil:
		return band.withServerText(fmt.Errorf("malformed push report: %s", pkts.mask.Line(err.Error(), maxLineLength)))
	}
	// The report is final. Hooks may still run and say why they refused. What is read of that is bounded.
	_, _ = io.CopyN(io.Discard, band, maxReport)
	refused, err := report.refusals(updates, pkts.mask)
	if err != nil {
		return err
	}
	if len(refused) > 0 {
		return &RefusedError{Refused: refused, Messages: band.messages.Lines(pkts.mask)}
	}
	return nil
}

// statuses is what a report-status says (gitprotocol-pack(5)).
type statuses struct {
	unpack string
	refs   map[string]string // "ok", or why the ref was not updated
}

const statusOK = "ok"

// readStatuses reads a report of about as many refs as size says.
func readStatuses(lines *pktReader, size int) (statuses, error) {
	report := statuses{refs: make(map[string]string, size)}
	line, err := lines.nextPacket()
	if err != nil {
		return report, err
	}
	unpack, found := bytes.CutPrefix(bytes.TrimSuffix(line, []byte("\n")), []byte("unpack "))
	if !found {
		return report, fmt.Errorf("malformed unpack status: %s", line)
	}
	report.unpack = string(unpack)
	for {
		line, err := lines.nextPacket()
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			return report, errors.New("missing flush")
		case err != nil || len(line) == 0:
			return report, err
		}
		if err := report.add(strings.TrimSuffix(string(line), "\n")); err != nil {
			return report, err
		}
	}
}

// add takes a line "ok <ref>" or "ng <ref> <reason>". The first line of a ref counts.
func (s statuses) add(line string) error {
	kind, rest, _ := strings.Cut(line, " ")
	ref, status, _ := strings.Cut(rest, " ")
	switch kind {
	case "ok":
		ref, status = rest, statusOK
	case "ng":
		status = "not updated: " + status
	default:
		return fmt.Errorf("malformed status of a ref: %s", line)
	}
	if _, again := s.refs[ref]; !again {
		s.refs[ref] = status
	}
	return nil
}

// refusals returns which of the refs were not updated, in the order of the updates.
func (s statuses) refusals(updates []RefUpdate, mask *foreign.Mask) (refused []RefRefusal, err error) {
	for _, update := range updates {
		status, reported := s.refs[update.Ref]
		switch {
		case s.unpack != statusOK:
			status = unpackFailed + s.unpack
		case !reported:
			return nil, fmt.Errorf("server did not report whether it updated %q", update.Ref)
		case status == statusOK:
			continue
		}
		refused = append(refused, RefRefusal{
			Ref: update.Ref, Reason: mask.Line(status, maxLineLength), ByOthers: strings.Contains(status, atomicFailure),
		})
	}
	return refused, nil
}

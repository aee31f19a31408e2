package smarthttp

import (
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

const (
	maxReport = 64 << 10 // bytes, beside a line for each ref

	unpackFailed  = "unpack failed: "
	atomicFailure = "atomic push failure" // what receive-pack says of refs that others have stopped
)

// readReport reads the answer of receive-pack: its report-status within the
// side-band, and what its hooks print beside.
func readReport(pkts *pktReader, refs []string) error {
	band := newSideband(pkts)
	var report packp.ReportStatus
	limit := int64(maxReport)
	for _, ref := range refs {
		limit += int64(len(ref)) + maxLineLength
	}
	if err := report.Decode(io.LimitReader(band, limit)); err != nil {
		if band.err != nil && band.err != io.EOF {
			return band.err
		}
		return band.withServerText(fmt.Errorf("malformed push report: %s", pkts.mask.Line(err.Error(), maxLineLength)))
	}
	// The report is final. What follows are hooks that still run, and they are
	// given the time to say why; but what else the server adds has an end, too.
	_, _ = io.CopyN(io.Discard, band, maxReport)
	var refused *RefusedError
	for _, ref := range refs {
		reason, err := refusalReason(&report, ref)
		if err != nil {
			return err
		}
		// Of a transaction's refs, the one that stopped it is told before those that were stopped along with it.
		if reason != "" && (refused == nil || strings.Contains(refused.Reason, atomicFailure)) {
			refused = &RefusedError{Ref: ref, Reason: pkts.mask.Line(reason, maxLineLength), Messages: band.messages.Lines(pkts.mask)}
		}
	}
	if refused != nil {
		return refused
	}
	return nil
}

// refusalReason returns why the ref was not updated, or "" if it was.
func refusalReason(report *packp.ReportStatus, ref string) (string, error) {
	const ok = "ok"
	if report.UnpackStatus != ok {
		return unpackFailed + report.UnpackStatus, nil
	}
	for _, status := range report.CommandStatuses {
		if status.ReferenceName.String() != ref {
			continue
		}
		if status.Status == ok {
			return "", nil
		}
		return "not updated: " + status.Status, nil
	}
	return "", fmt.Errorf("server did not report whether it updated %q", ref)
}

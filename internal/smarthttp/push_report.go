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

// readReport reads receive-pack's answer: the report-status in the side-band's data channel, and what the hooks print
// in the other.
func readReport(pkts *pktReader, refs []string) error {
	band := &sideband{pkts: pkts}
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
	// The report is final. Hooks may still run and say why they refused. What is read of that is bounded.
	_, _ = io.CopyN(io.Discard, band, maxReport)
	var refused *RefusedError
	for _, ref := range refs {
		reason, err := refusalReason(&report, ref)
		if err != nil {
			return err
		}
		// In a transaction, one ref's refusal stops all others: report that ref.
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

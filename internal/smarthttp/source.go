package smarthttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrShallow says that a repository lacks the beginning of its history. Packs made from it look whole, but no other
	// repository accepts them.
	ErrShallow = errors.New("the repository is a shallow clone")
	// ErrPartial says that a repository lacks objects, which it would fetch from elsewhere on demand.
	ErrPartial = errors.New("the repository is a partial clone")
)

// maxChecked is for how many of the wanted objects a server is asked whether their history is cut off. Servers bound
// requests (http.maxRequestBuffer).
const maxChecked = 1000

// checkComplete fails with ErrShallow when the history that leads to one of the objects is cut off. The fetch itself
// asks for no depth, so it would not tell. If more than maxChecked are wanted, it fails for every shallow repository.
func (c *Client) checkComplete(ctx context.Context, adv *advertisement, wants []string) error {
	if !adv.v2 {
		return adv.checkComplete()
	}
	// Of what the client claims to have, the answer is an empty pack, and before it, what is shallow.
	args := []string{"no-progress\n"}
	for _, line := range []string{"want ", "have "} {
		for _, object := range wants[:min(len(wants), maxChecked)] {
			args = append(args, line+object+"\n")
		}
	}
	resp, err := c.runCommand(ctx, adv, "fetch", append(args, "done\n")...) //nolint:bodyclose // drain does
	if err != nil {
		return err
	}
	defer drain(resp.Body)
	pkts := c.readPackets(resp.Body)
	if line, err := pkts.nextPacket(); err != nil || strings.TrimSpace(string(line)) != "shallow-info" {
		return err
	}
	if len(wants) > maxChecked {
		return ErrShallow
	}
	// The section is empty when only the history of other commits is cut off. What follows then is its end, which is no
	// pkt-line.
	if line, err := pkts.nextPacket(); err == nil && bytes.HasPrefix(line, []byte("shallow ")) {
		return ErrShallow
	}
	return nil
}

// checkComplete looks for v0's "shallow" lines, which follow the refs.
func (a *advertisement) checkComplete() error {
	if a.firstRef == "" {
		return nil
	}
	for range maxRefs {
		line, err := a.pkts.nextPacket()
		if len(line) == 0 { // also with an error
			return err
		}
		if bytes.HasPrefix(line, []byte("shallow ")) {
			return ErrShallow
		}
	}
	return fmt.Errorf("server lists more than %d refs", maxRefs)
}

// classifySourceError tells when a repository cannot make a pack because it is a partial clone. Git says so only in
// words.
func classifySourceError(err error) error {
	for _, words := range []string{"promisor remote", "lazy fetching disabled"} {
		if strings.Contains(err.Error(), words) {
			return fmt.Errorf("%w: %w", ErrPartial, err)
		}
	}
	return err
}

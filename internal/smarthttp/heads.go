package smarthttp

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

const (
	branchPrefix = "refs/heads/"
	delimPkt     = "0001" // gitprotocol-v2(5)
)

// Heads returns the commit of each of the branches of a repository
// ("group/name"). A branch that does not exist is absent from the map.
func (c *Client) Heads(ctx context.Context, repo string, branches ...string) (map[string]string, error) {
	u, err := c.repository(repo)
	if err != nil {
		return nil, err
	}
	heads, err := c.heads(ctx, u, branches)
	if err != nil {
		return nil, fmt.Errorf("list branches of %s: %w", u, err)
	}
	return heads, nil
}

func (c *Client) heads(ctx context.Context, repo *url.URL, branches []string) (map[string]string, error) {
	wanted, err := newRefSet(branches)
	if err != nil || len(wanted) == 0 { // ls-refs without a prefix lists all refs
		return nil, err
	}
	adv, err := c.discover(ctx, repo, uploadPack)
	if err != nil {
		return nil, err
	}
	defer adv.close()
	if !adv.v2 {
		return adv.tips(wanted)
	}
	return c.lsRefs(ctx, adv, wanted)
}

// lsRefs is the v2 command of that name: the server filters, so that a project
// with many refs costs no more than one with few.
func (c *Client) lsRefs(ctx context.Context, adv *advertisement, wanted refSet) (map[string]string, error) {
	body, err := encodeLsRefs(c.agent, wanted)
	if err != nil {
		return nil, err
	}
	header := http.Header{"Git-Protocol": {"version=2"}}
	resp, err := c.post(ctx, adv.url, uploadPack, body, int64(body.Len()), header)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	found := map[string]string{}
	pkts := newPktReader(resp.Body)
	if err := readRefs(pkts, wanted, found); err != nil {
		return nil, err
	}
	_ = pkts.end() // for the connection's sake; the answer is complete
	return found, nil
}

func encodeLsRefs(agent string, wanted refSet) (*bytes.Buffer, error) {
	var body bytes.Buffer
	pkts := pktline.NewEncoder(&body)
	if err := pkts.EncodeString("command=ls-refs\n", "agent="+agent+"\n"); err != nil {
		return nil, err
	}
	body.WriteString(delimPkt)
	for ref := range wanted {
		if err := pkts.EncodeString("ref-prefix " + ref + "\n"); err != nil {
			return nil, err
		}
	}
	return &body, pkts.Flush()
}

// refSet is the full names of the branches to look for.
type refSet map[string]bool

func newRefSet(branches []string) (refSet, error) {
	set := make(refSet, len(branches))
	for _, branch := range branches {
		ref, err := refName(branch)
		if err != nil {
			return nil, err
		}
		set[ref] = true
	}
	return set, nil
}

// refName returns the branch's full name. Beyond what git-check-ref-format(1)
// is for, no name may end a pkt-line's field and start another.
func refName(branch string) (string, error) {
	separator := func(r rune) bool { return r <= ' ' || r == 0x7f }
	if branch == "" || strings.ContainsFunc(branch, separator) {
		return "", fmt.Errorf("invalid branch name %q", branch)
	}
	return branchPrefix + branch, nil
}

// readRefs reads ref lines up to the flush packet and keeps the wanted ones, so
// that memory does not depend on how many refs a repository has.
func readRefs(pkts *pktReader, wanted refSet, found map[string]string) error {
	for range maxRefs {
		line, err := pkts.next()
		if err != nil || len(line) == 0 {
			return err
		}
		if err := wanted.match(strings.TrimSuffix(string(line), "\n"), found); err != nil {
			return err
		}
	}
	return fmt.Errorf("server lists more than %d refs", maxRefs)
}

// match adds the branch of a line "<hash> <ref>[ <attribute>...]" if it is wanted.
func (s refSet) match(line string, found map[string]string) error {
	hash, rest, _ := strings.Cut(line, " ")
	ref, _, _ := strings.Cut(rest, " ")
	if !s[ref] {
		return nil
	}
	if !isHash(hash) {
		return fmt.Errorf("server gives %q as the commit of %q", clean(hash, 64), ref)
	}
	found[strings.TrimPrefix(ref, branchPrefix)] = hash
	return nil
}

func isHash(s string) bool {
	return len(s) == 40 && strings.Trim(s, "0123456789abcdef") == ""
}

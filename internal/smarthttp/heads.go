package smarthttp

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

const (
	delimPkt = "0001" // gitprotocol-v2(5)

	// maxMatches is more than the number of branches of one repository that anyone syncs.
	maxMatches = 10_000
)

func (c *Client) refs(ctx context.Context, repo *url.URL, wanted refFilter) (map[string]string, error) {
	adv, err := c.discover(ctx, repo, uploadPack)
	if err != nil {
		return nil, err
	}
	defer adv.close()
	if !adv.v2 {
		return adv.refs(wanted)
	}
	return c.lsRefs(ctx, adv, wanted)
}

// lsRefs runs v2's command of that name. The server filters, so a project with many refs costs no more than one with
// few.
func (c *Client) lsRefs(ctx context.Context, adv *advertisement, wanted refFilter) (map[string]string, error) {
	var args []string
	for _, ref := range wanted.prefixes() {
		args = append(args, "ref-prefix "+ref+"\n")
	}
	resp, err := c.runCommand(ctx, adv, "ls-refs", args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	found := map[string]string{}
	pkts := c.readPackets(resp.Body)
	if err := readRefs(pkts, wanted, found); err != nil {
		return nil, err
	}
	_ = pkts.requireEnd() // so that the connection can be used again; the answer is complete
	return found, nil
}

// runCommand sends a command of protocol v2.
func (c *Client) runCommand(ctx context.Context, adv *advertisement, name string, args ...string) (*http.Response, error) {
	var body bytes.Buffer
	pkts := pktline.NewEncoder(&body)
	if err := pkts.EncodeString("command="+name+"\n", "agent="+c.options.Agent+"\n"); err != nil {
		return nil, err
	}
	body.WriteString(delimPkt)
	if err := pkts.EncodeString(append(args, pktline.FlushString)...); err != nil {
		return nil, err
	}
	header := http.Header{"Git-Protocol": {"version=2"}}
	return c.post(ctx, adv.url, uploadPack, &body, int64(body.Len()), header)
}

// refFilter selects refs by full name or by prefix.
type refFilter struct {
	names  []string
	prefix string
	visit  func(ref, commit string) // takes the refs, of which there may be any number, in place of a map
}

func (f refFilter) prefixes() []string {
	if f.prefix != "" {
		return append([]string{f.prefix}, f.names...)
	}
	return f.names
}

// matches tells whether a line's ref is selected. Before v2, the commit behind an annotated tag has a line too, which
// is not of a ref.
func (f refFilter) matches(ref string) bool {
	return !strings.HasSuffix(ref, "^{}") && (slices.Contains(f.names, ref) || f.prefix != "" && strings.HasPrefix(ref, f.prefix))
}

// isSafeRefName tells whether a name stays within its field of a pkt-line. It does not check all of
// git-check-ref-format(1).
func isSafeRefName(s string) bool {
	return s != "" && !strings.HasSuffix(s, "/") && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

// readRefs reads ref lines up to the flush packet. It keeps only the wanted refs, so memory does not depend on how
// many refs a repository has.
func readRefs(pkts *pktReader, wanted refFilter, found map[string]string) error {
	for range maxRefs {
		line, err := pkts.nextPacket()
		if len(line) == 0 { // also with an error
			return err
		}
		if err := wanted.addLine(strings.TrimSuffix(string(line), "\n"), found, pkts.mask); err != nil {
			return err
		}
	}
	return fmt.Errorf("server lists more than %d refs", maxRefs)
}

// addLine adds the ref of a line "<hash> <ref>[ <attribute>...]" to found if it is wanted.
func (f refFilter) addLine(line string, found map[string]string, mask *foreign.Mask) error {
	hash, rest, _ := strings.Cut(line, " ")
	ref, _, _ := strings.Cut(rest, " ")
	if !f.matches(ref) {
		return nil
	}
	if !isHash(hash) {
		return fmt.Errorf("server gives %q as the commit of %q", mask.Line(hash, 64), mask.Line(ref, maxLineLength))
	}
	if f.visit != nil {
		f.visit(ref, hash)
		return nil
	}
	if len(found) == maxMatches {
		return fmt.Errorf("server lists more than %d of the wanted refs", maxMatches)
	}
	found[ref] = hash
	return nil
}

func isHash(s string) bool {
	return len(s) == 40 && strings.Trim(s, "0123456789abcdef") == ""
}

package smarthttp

import (
	"bytes"
	"context"
	"net/http"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

const delimPkt = "0001" // gitprotocol-v2(5)

// lsRefs runs v2's command of that name. The server filters, so a project with many refs costs no more than one with
// few.
func (c *Client) lsRefs(ctx context.Context, adv *advertisement, refs *refLines) error {
	var args []string
	if refs.peel {
		args = append(args, "peel\n")
	}
	if refs.symrefs {
		args = append(args, "symrefs\n")
	}
	for _, prefix := range refs.prefixes {
		args = append(args, "ref-prefix "+prefix+"\n")
	}
	for _, name := range refs.named {
		args = append(args, "ref-prefix "+name+"\n")
	}
	resp, err := c.runCommand(ctx, adv, "ls-refs", args...)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	pkts := c.readPackets(resp.Body)
	if err := refs.read(pkts); err != nil {
		return err
	}
	_ = pkts.requireEnd() // so that the connection can be used again; the answer is complete
	return nil
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

package smarthttp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/packfile"
)

// FetchRequest names the commits and tags whose history is fetched, by 40 hexadecimal digits each.
type FetchRequest struct {
	Repo  string   // "group/name"
	Wants []string // at least one
	// Haves are commits and tags whose history the receiver of the pack already has. The pack leaves out the history of
	// all that the server has, too. Without any, it is a snapshot.
	//
	// Protocol v0 does not tell which of several the server has: a receiver of such a pack needs the history of all.
	Haves []string
	// Thin allows deltas against objects in the Haves' history, which makes the pack smaller. The receiver has to complete
	// it.
	Thin bool
}

// FetchPack asks for the pack of the wanted objects' history. Neither tags nor other branches come with it. The
// context has to last until the stream is read.
//
// It fails with ErrNotOurRef when no branch or tag leads to one of them any more.
func (c *Client) FetchPack(ctx context.Context, req FetchRequest) (*PackStream, error) {
	u, err := c.options.Forge.Repository(req.Repo)
	if err != nil {
		return nil, err
	}
	stream, err := c.fetch(ctx, u, req)
	if err != nil {
		return nil, fmt.Errorf("fetch from %s: %w", u, err)
	}
	return stream, nil
}

func (c *Client) fetch(ctx context.Context, repo *url.URL, req FetchRequest) (*PackStream, error) {
	// Protocol v0, because v2 does not acknowledge a "have" when "done" follows it.
	caps := "side-band-64k ofs-delta no-progress"
	if req.Thin {
		caps += " thin-pack"
	}
	resp, err := c.negotiate(ctx, repo, caps, req.Wants, req.Haves, true)
	if err != nil {
		return nil, err
	}
	pkts := c.readPackets(resp.Body)
	common, err := readAcknowledgement(pkts, req.Haves)
	if err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return &PackStream{
		origin: repo,
		body:   resp.Body,
		pack:   packfile.NewVerifier(&sideband{pkts: pkts}),
		common: common,
	}, nil
}

// Known returns which of the commits a repository has, in their order. Tip has to be a commit that one of its
// branches points to.
func (c *Client) Known(ctx context.Context, repo, tip string, commits ...string) ([]string, error) {
	u, err := c.options.Forge.Repository(repo)
	if err != nil {
		return nil, err
	}
	ctx, done := httpclient.WithLimit(ctx, c.options.Limits.Discovery)
	defer done()
	resp, err := c.negotiate(ctx, u, "multi_ack_detailed", []string{tip}, commits, false) //nolint:bodyclose // drain does
	if err != nil {
		return nil, fmt.Errorf("ask %s for commits: %w", u, err)
	}
	defer drain(resp.Body)
	known, err := readCommonCommits(c.readPackets(resp.Body), commits)
	if err != nil {
		return nil, fmt.Errorf("ask %s for commits: %w", u, err)
	}
	return known, nil
}

// Descends tells whether ancestor is in the history of commit. The repository has to have both, and one of its refs
// has to point to ancestor. It fetches ancestor for a receiver that has commit: the pack is then empty.
func (c *Client) Descends(ctx context.Context, repo, commit, ancestor string) (bool, error) {
	stream, err := c.FetchPack(ctx, FetchRequest{Repo: repo, Wants: []string{ancestor}, Haves: []string{commit}})
	if err != nil {
		return false, err
	}
	defer func() { _ = stream.Close() }()
	if stream.Common() != commit {
		return false, nil
	}
	var header struct{ Signature, Version, Objects uint32 } // gitformat-pack(5)
	if err := binary.Read(stream, binary.BigEndian, &header); err != nil {
		return false, err
	}
	return header.Objects == 0, nil
}

// negotiate sends an upload-pack request. Without done, the server only says which of the haves it has. With done it
// sends a pack, so the repository's history is checked to be complete before.
func (c *Client) negotiate(ctx context.Context, repo *url.URL, caps string, wants, haves []string, done bool) (*http.Response, error) {
	body, err := encodeUploadRequest(caps+" agent="+c.options.Agent, wants, haves, done)
	if err != nil {
		return nil, err
	}
	var answer *http.Response
	err = c.withAdvertisement(ctx, repo, c.options.Limits.Discovery, func(adv *advertisement) (begun bool, err error) {
		if done {
			err = c.checkComplete(ctx, adv, wants)
		}
		adv.close() // its connection serves the next request
		if err == nil {
			answer, err = c.post(ctx, adv.url, uploadPack, bytes.NewReader(body.Bytes()), int64(body.Len()), http.Header{}) //nolint:bodyclose // the caller does
		}
		return false, err
	})
	return answer, err
}

func encodeUploadRequest(caps string, wants, haves []string, done bool) (*bytes.Buffer, error) {
	if len(wants) == 0 {
		return nil, errors.New("nothing is wanted")
	}
	for _, hash := range slices.Concat(wants, haves) {
		if !isHash(hash) {
			return nil, fmt.Errorf("invalid commit %q", hash)
		}
	}
	lines := make([]string, 0, len(wants)+len(haves)+2)
	for _, want := range wants {
		lines = append(lines, "want "+want+"\n")
	}
	lines[0] = "want " + wants[0] + " " + caps + "\n"
	lines = append(lines, pktline.FlushString)
	for _, have := range haves {
		lines = append(lines, "have "+have+"\n")
	}
	if done {
		lines = append(lines, "done\n")
	} else {
		lines = append(lines, pktline.FlushString)
	}
	var body bytes.Buffer
	return &body, pktline.NewEncoder(&body).EncodeString(lines...)
}

// readAcknowledgement reads what comes before the pack: a NAK, or the first of the haves that the server has. Git
// acknowledges more of them where they are parents of that one, and other servers may, too.
func readAcknowledgement(pkts *pktReader, haves []string) (common string, err error) {
	line, err := pkts.nextPacket()
	if err != nil {
		return "", err
	}
	text := strings.TrimSuffix(string(line), "\n")
	if text == "NAK" {
		return "", nil
	}
	common, acknowledged := strings.CutPrefix(text, "ACK ")
	if !acknowledged || !slices.Contains(haves, common) {
		return "", fmt.Errorf("server answers %q instead of a pack", pkts.mask.Line(text, 100))
	}
	for range len(haves) - 1 {
		line, err := pkts.nextPacket()
		if err != nil {
			return "", err
		}
		if !bytes.HasPrefix(line, []byte("ACK ")) { // which no packet of the side-band is
			pkts.unread = true
			break
		}
	}
	return common, nil
}

// readCommonCommits reads the acknowledgements up to the NAK that ends them. The server may also say "ready" with a
// commit that it does not have.
func readCommonCommits(pkts *pktReader, commits []string) ([]string, error) {
	lines := map[string]bool{}
	for range 2*len(commits) + 1 {
		line, err := pkts.nextPacket()
		if err != nil {
			return nil, err
		}
		text := strings.TrimSuffix(string(line), "\n")
		if text == "NAK" {
			return slices.DeleteFunc(slices.Clone(commits), func(commit string) bool {
				return !lines["ACK "+commit+" common"]
			}), nil
		}
		lines[text] = true
	}
	return nil, fmt.Errorf("server acknowledges more than the %d commits asked for", len(commits))
}

// PackStream is a pack as the server sends it: the bytes of a "*.pack" file (gitformat-pack(5)). Only io.EOF says
// that it is complete. Read fails with ErrCorruptPack when the checksum does not match, and with io.ErrUnexpectedEOF
// when the pack was cut off.
type PackStream struct {
	origin *url.URL
	body   io.Closer
	pack   *packfile.Verifier
	common string
}

// Common is the first of the Haves that the server acknowledged. The pack builds on it, and on all others that the
// server has. If it is empty, the pack is self-contained.
func (s *PackStream) Common() string { return s.common }

func (s *PackStream) Read(b []byte) (int, error) {
	n, err := s.pack.Read(b)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("fetch from %s: %w", s.origin, classifySourceError(err))
	}
	return n, err
}

// Close aborts the transfer if it is not complete yet.
func (s *PackStream) Close() error { return s.body.Close() }

package smarthttp

import (
	"bytes"
	"context"
	"encoding/binary"
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

// FetchRequest names the commit whose history is fetched.
type FetchRequest struct {
	Repo string // "group/name"
	Want string

	// Have is a commit whose history the receiver of the pack already has. If the server has it too, the pack leaves
	// that history out. An empty Have asks for a snapshot.
	//
	// There is only one, because of several commits the server builds on all that it knows, and protocol v0 does not
	// tell which those are.
	Have string

	// Thin allows deltas against objects in Have's history, which makes the pack smaller. The receiver has to complete
	// it.
	Thin bool
}

// FetchPack asks for the pack of a commit's history. Neither tags nor other branches come with it. The context has to
// last until the stream is read.
//
// It fails with ErrNotOurRef when no branch leads to the commit any more.
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
	var haves []string
	if req.Have != "" {
		haves = []string{req.Have}
	}
	if req.Thin {
		caps += " thin-pack"
	}
	resp, err := c.negotiate(ctx, repo, caps, req.Want, haves, true)
	if err != nil {
		return nil, err
	}
	pkts := c.readPackets(resp.Body)
	common, err := readAcknowledgement(pkts, req.Have)
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
	resp, err := c.negotiate(ctx, u, "multi_ack_detailed", tip, commits, false)
	if err != nil {
		return nil, fmt.Errorf("ask %s for commits: %w", u, err)
	}
	defer func() { _ = resp.Body.Close() }()
	known, err := readCommonCommits(c.readPackets(resp.Body), commits)
	if err != nil {
		return nil, fmt.Errorf("ask %s for commits: %w", u, err)
	}
	return known, nil
}

// Descends tells whether ancestor is in the history of commit. The repository has to have both, and one of its refs
// has to point to ancestor. It fetches ancestor for a receiver that has commit: the pack is then empty.
func (c *Client) Descends(ctx context.Context, repo, commit, ancestor string) (bool, error) {
	stream, err := c.FetchPack(ctx, FetchRequest{Repo: repo, Want: ancestor, Have: commit})
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
func (c *Client) negotiate(ctx context.Context, repo *url.URL, caps, want string, haves []string, done bool) (*http.Response, error) {
	body, err := encodeUploadRequest(caps+" agent="+c.options.Agent, want, haves, done)
	if err != nil {
		return nil, err
	}
	adv, err := c.discover(ctx, repo, uploadPack) // a POST is not redirected
	if err != nil {
		return nil, err
	}
	if done {
		err = c.checkComplete(ctx, adv, want)
	}
	adv.close()
	if err != nil {
		return nil, err
	}
	return c.post(ctx, adv.url, uploadPack, body, int64(body.Len()), http.Header{})
}

func encodeUploadRequest(caps, want string, haves []string, done bool) (*bytes.Buffer, error) {
	lines := []string{"want " + want + " " + caps + "\n", pktline.FlushString}
	for _, have := range haves {
		lines = append(lines, "have "+have+"\n")
	}
	if done {
		lines = append(lines, "done\n")
	} else {
		lines = append(lines, pktline.FlushString)
	}
	for _, hash := range append([]string{want}, haves...) {
		if !isHash(hash) {
			return nil, fmt.Errorf("invalid commit %q", hash)
		}
	}
	var body bytes.Buffer
	return &body, pktline.NewEncoder(&body).EncodeString(lines...)
}

// readAcknowledgement reads the one line before the pack.
func readAcknowledgement(pkts *pktReader, have string) (common string, err error) {
	line, err := pkts.nextPacket()
	if err != nil {
		return "", err
	}
	switch text := strings.TrimSuffix(string(line), "\n"); {
	case text == "NAK":
		return "", nil
	case have != "" && text == "ACK "+have:
		return have, nil
	default:
		return "", fmt.Errorf("server answers %q instead of a pack", pkts.mask.Line(text, 100))
	}
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

// Common is the Have that the server acknowledged, on which the pack builds. If it is empty, the pack is
// self-contained.
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

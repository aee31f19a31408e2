package model

import (
	"bytes"
	"cmp"
	"crypto/sha1" // Git's
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// commit is one of a history without merges.
type commit struct {
	ID, Parent string
	Size       int // bytes of what it brings
}

// universe has all commits that were ever made.
type universe map[string]commit

func (u universe) commit(parent, name string, size int) string {
	sum := sha1.Sum([]byte(parent + " " + name))
	id := hex.EncodeToString(sum[:])
	u[id] = commit{id, parent, size}
	return id
}

// history are the commits that lead to one, itself first.
func (u universe) history(of string) (ids []string) {
	for id := of; id != ""; id = u[id].Parent {
		ids = append(ids, id)
	}
	return ids
}

// repository is one on a Git server in memory, which speaks protocol v0 over HTTP. It knows no objects but commits.
type repository struct {
	universe universe

	mu   sync.Mutex
	refs map[string]string
	has  map[string]bool // commits
	// pushed is called with the refs before and after each push.
	pushed func(before, now map[string]string)
}

func newRepository(u universe) *repository {
	return &repository{universe: u, refs: map[string]string{}, has: map[string]bool{}, pushed: func(_, _ map[string]string) {}}
}

// set moves a ref as somebody else than the product does.
func (r *repository) set(ref, to string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if to == "" {
		delete(r.refs, ref)
		return
	}
	for _, id := range r.universe.history(to) {
		r.has[id] = true
	}
	r.refs[ref] = to
}

// collect removes what no ref leads to, as git gc does.
func (r *repository) collect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	reached := map[string]bool{}
	for _, tip := range r.refs {
		for _, id := range r.universe.history(tip) {
			reached[id] = true
		}
	}
	r.has = reached
}

// RoundTrip implements http.RoundTripper.
func (r *repository) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := readBody(req)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var answer bytes.Buffer
	service, kind := req.URL.Query().Get("service"), "advertisement"
	switch {
	case service != "":
		r.advertise(service, &answer)
	case strings.HasSuffix(req.URL.Path, "/git-upload-pack"):
		service, kind = "git-upload-pack", "result"
		r.uploadPack(body, &answer)
	default:
		service, kind = "git-receive-pack", "result"
		if err := r.receivePack(body, &answer); err != nil {
			return nil, err
		}
	}
	return &http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/x-" + service + "-" + kind}},
		Body:   io.NopCloser(&answer), ContentLength: int64(answer.Len()),
	}, nil
}

func (r *repository) advertise(service string, to io.Writer) {
	const caps = "\x00report-status delete-refs side-band-64k ofs-delta atomic multi_ack_detailed thin-pack no-progress\n"
	pkts := pktline.NewEncoder(to)
	_ = pkts.Encodef("# service=%s\n", service)
	_ = pkts.Flush()
	rest := caps
	for _, ref := range slices.Sorted(maps.Keys(r.refs)) {
		_ = pkts.Encodef("%s %s%s", r.refs[ref], ref, rest)
		rest = "\n"
	}
	if len(r.refs) == 0 {
		_ = pkts.Encodef("%s capabilities^{}%s", strings.Repeat("0", 40), caps)
	}
	_ = pkts.Flush()
}

// reaches tells whether a ref leads to a commit.
func (r *repository) reaches(id string) bool {
	for _, tip := range r.refs {
		if slices.Contains(r.universe.history(tip), id) {
			return true
		}
	}
	return false
}

func (r *repository) uploadPack(body []byte, to io.Writer) {
	var wants, haves []string
	done := false
	for lines := pktline.NewScanner(bytes.NewReader(body)); lines.Scan(); {
		line := strings.TrimSuffix(string(lines.Bytes()), "\n")
		if want, ok := strings.CutPrefix(line, "want "); ok {
			wants = append(wants, want[:40])
		} else if have, ok := strings.CutPrefix(line, "have "); ok && r.has[have] {
			haves = append(haves, have)
		}
		done = done || line == "done"
	}
	pkts := pktline.NewEncoder(to)
	for _, want := range wants {
		if !r.reaches(want) {
			_ = pkts.Encodef("ERR upload-pack: not our ref %s", want)
			return
		}
	}
	switch {
	case !done:
		for _, have := range haves {
			_ = pkts.Encodef("ACK %s common\n", have)
		}
		_ = pkts.EncodeString("NAK\n")
		return
	case len(haves) > 0:
		_ = pkts.Encodef("ACK %s\n", haves[0])
	default:
		_ = pkts.EncodeString("NAK\n")
	}
	known := map[string]bool{}
	for _, have := range haves {
		for _, id := range r.universe.history(have) {
			known[id] = true
		}
	}
	pack := r.pack(wants, known)
	for chunk := range slices.Chunk(pack, 65_000) {
		_ = pkts.Encode(append([]byte{1}, chunk...))
	}
	_ = pkts.Flush()
}

// pack has the commits that lead to those that are wanted, but for the known ones. Its frame is a pack's, its content is not.
func (r *repository) pack(wants []string, known map[string]bool) []byte {
	var commits []commit
	size := 0
	for _, want := range wants {
		for _, id := range r.universe.history(want) {
			if !known[id] {
				known[id] = true
				commits, size = append(commits, r.universe[id]), size+r.universe[id].Size
			}
		}
	}
	slices.SortStableFunc(commits, func(a, b commit) int {
		return cmp.Compare(len(r.universe.history(a.ID)), len(r.universe.history(b.ID)))
	})
	pack := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(commits)))
	text, _ := json.Marshal(commits)
	pack = binary.BigEndian.AppendUint32(pack, uint32(len(text)))
	pack = append(append(pack, text...), make([]byte, size)...)
	sum := sha1.Sum(pack)
	return append(pack, sum[:]...)
}

func unpack(pack []byte) (commits []commit) {
	if len(pack) < 36 { // there are no objects in it
		return nil
	}
	text := pack[16:]
	_ = json.Unmarshal(text[:binary.BigEndian.Uint32(pack[12:])], &commits)
	return commits
}

// update is a command of a push.
type update struct{ ref, from, to string }

func (r *repository) receivePack(body []byte, to io.Writer) error {
	var updates []update
	in := bytes.NewReader(body)
	lines := pktline.NewScanner(in)
	for lines.Scan() && len(lines.Bytes()) > 0 {
		command, _, _ := strings.Cut(string(lines.Bytes()), "\x00")
		fields := strings.Fields(command)
		if len(fields) != 3 {
			return fmt.Errorf("malformed command %q", command)
		}
		zero := func(id string) string { return strings.TrimPrefix(id, strings.Repeat("0", 40)) }
		updates = append(updates, update{fields[2], zero(fields[0]), zero(fields[1])})
	}
	pack, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var report bytes.Buffer
	status := pktline.NewEncoder(&report)
	_ = status.EncodeString("unpack ok\n")
	refused := r.apply(updates, unpack(pack))
	for _, u := range updates {
		if refused != "" {
			_ = status.Encodef("ng %s %s\n", u.ref, refused)
		} else {
			_ = status.Encodef("ok %s\n", u.ref)
		}
	}
	_ = status.Flush()
	pkts := pktline.NewEncoder(to)
	_ = pkts.Encode(append([]byte{1}, report.Bytes()...))
	return pkts.Flush()
}

// apply makes all updates of a push, or none.
func (r *repository) apply(updates []update, commits []commit) (refused string) {
	has := maps.Clone(r.has)
	for _, c := range commits { // the oldest come first
		has[c.ID] = has[c.ID] || has[c.Parent] || c.Parent == ""
	}
	for _, u := range updates {
		switch {
		case u.to != "" && !has[u.to]:
			return "missing necessary objects"
		case r.refs[u.ref] != u.from:
			return "failed to update ref"
		}
	}
	maps.DeleteFunc(has, func(_ string, whole bool) bool { return !whole })
	r.has = has
	before := maps.Clone(r.refs)
	for _, u := range updates {
		if u.to == "" {
			delete(r.refs, u.ref)
		} else {
			r.refs[u.ref] = u.to
		}
	}
	r.pushed(before, r.refs)
	return ""
}

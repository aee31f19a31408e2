package performance_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// The floors: what no way of syncing can do without.
const (
	readFloor  = "floor: read the pack from the source"
	putFloor   = "floor: put it into the bucket"
	getFloor   = "floor: get it from the bucket"
	pushFloor  = "floor: git push"
	fetchFloor = "floor: git fetch"
)

// firstFloors measures what a first sync of a branch cannot do without, and returns how large the pack is.
func (w *world) firstFloors(r *result, s project.Sync) (pack int64) {
	w.Helper()
	t := w.newTools(stack.Producer)
	request := t.packRequest(s)
	r.add(readFloor, stack.Producer, w.measure(t, t.dir, plainBucket, func() { t.readPack(s, request, os.DevNull) }))
	t.readPack(s, request, "pack")
	info, err := os.Stat(filepath.Join(t.dir, "pack"))
	require.NoError(w, err)
	t.forget(stack.Producer)
	r.add(putFloor, stack.Producer, w.measure(t, t.dir, plainBucket, func() { t.put("pack", "pack") }))
	t.forget(stack.Consumer)
	r.add(getFloor, stack.Consumer, w.measure(t, t.dir, plainBucket, func() { t.get("pack", os.DevNull) }))
	t = w.newTools(stack.Consumer)
	r.add(pushFloor, stack.Consumer, w.measure(t, t.dir, plainBucket, func() { t.push(w.Source.Dir(s.Source.Path()), floor(s)) }))
	return info.Size()
}

// forget has the tools begin anew, in the same folder.
func (t *tools) forget(role stack.Role) { t.role, t.used, t.most = role, 0, 0 }

// packRequest writes the request for all of a branch in protocol v0 (gitprotocol-http(5)) to a file.
func (t *tools) packRequest(s project.Sync) string {
	t.Helper()
	want := "want " + t.head(t.Source, s.Source) + " side-band-64k ofs-delta no-progress\n"
	file := filepath.Join(t.dir, "request")
	require.NoError(t, os.WriteFile(file, []byte(pktLine(want)+"0000"+pktLine("done\n")), 0o600))
	return file
}

// readPack asks the source for a pack, and keeps the answer in a file.
func (t *tools) readPack(s project.Sync, request, file string) {
	t.Helper()
	t.curl(t.login(), "--data-binary", "@"+request, "--header", "Content-Type: application/x-git-upload-pack-request",
		"--output", file, t.url(s.Source.Path())+"/git-upload-pack")
}

// nextFloors measures what a further sync of a branch cannot do without: to fetch what is new into a clone, and to push it.
func (w *world) nextFloors(r *result, s project.Sync, clone string) {
	w.Helper()
	t := w.newTools(stack.Producer)
	ref := s.Source.Ref()
	r.add(fetchFloor, stack.Producer, w.measure(t, t.dir, plainBucket, func() {
		t.run("", "git", "-C", clone, "fetch", "--quiet", t.url(s.Source.Path()), ref+":"+ref)
	}))
	t = w.newTools(stack.Consumer)
	r.add(pushFloor, stack.Consumer, w.measure(t, t.dir, plainBucket, func() { t.push(clone, floor(s)) }))
}

// pktLine frames a line (gitprotocol-common(5)).
func pktLine(line string) string { return fmt.Sprintf("%04x%s", len(line)+4, line) }

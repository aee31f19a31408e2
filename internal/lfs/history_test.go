package lfs

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// repository is a bare one that stock git works on.
type repository struct {
	testing.TB
	dir string
}

func (r repository) command(stdin io.Reader, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(r.Context(), "git", args...)
	cmd.Dir, cmd.Stdin, cmd.Stderr = r.dir, stdin, os.Stderr
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull}
	return cmd
}

func (r repository) git(stdin string, args ...string) []byte {
	out, err := r.command(strings.NewReader(stdin), args...).Output()
	require.NoError(r, err, "git %q", args)
	return out
}

// history is what becomes of files in a random history.
type history struct {
	random *rand.Rand
	w      *bufio.Writer
	files  map[string]string
	names  []string
	marks  int
}

// randomRepository has commits on two branches that are merged now and then. In them files become pointers, and pointers
// files, whose text is small or large; they move, are copied and deleted.
func randomRepository(t *testing.T, seed uint64, commits int) repository {
	r := repository{t, t.TempDir()}
	r.git("", "init", "--quiet", "--bare", "--initial-branch=main")
	var script bytes.Buffer
	h := &history{random: rand.New(rand.NewPCG(seed, 0)), w: bufio.NewWriter(&script), files: map[string]string{}}
	h.commit("main", "")
	for range 30 {
		h.set(fmt.Sprintf("d%d/f%d", h.random.IntN(4), len(h.names)))
	}
	h.commit("side", "from :1")
	for range commits {
		branch, merge := "main", ""
		if h.random.IntN(3) == 0 {
			branch = "side"
		}
		if h.random.IntN(6) == 0 {
			merge = map[string]string{"main": "merge refs/heads/side", "side": "merge refs/heads/main"}[branch]
		}
		h.commit(branch, merge)
		for range 1 + h.random.IntN(4) {
			h.change()
		}
	}
	require.NoError(t, h.w.Flush())
	r.git(script.String(), "fast-import", "--quiet", "--force")
	return r
}

func (h *history) commit(branch, parents string) {
	h.marks++
	fmt.Fprintf(h.w, "commit refs/heads/%s\nmark :%d\ncommitter A <a@example.com> %d +0000\ndata 1\nx\n", branch, h.marks, 1_700_000_000+h.marks)
	if parents != "" {
		fmt.Fprintln(h.w, parents)
	}
}

// change changes a file, whose last version may be on the other branch only.
func (h *history) change() {
	name := h.names[h.random.IntN(len(h.names))]
	switch h.random.IntN(8) {
	case 0:
		h.set(fmt.Sprintf("d%d/f%d", h.random.IntN(4), len(h.names)))
	case 1: // a rename, as Git sees it
		fmt.Fprintf(h.w, "D %s\n", name)
		h.put(fmt.Sprintf("d%d/r%d", h.random.IntN(4), len(h.names)), h.files[name])
	default:
		h.set(name)
	}
}

func (h *history) set(name string) {
	old := h.files[name]
	switch n := h.random.IntN(10); {
	case n < 4:
		h.put(name, h.pointer())
	case n < 6 && len(old) > 0 && len(old) < 400: // around what was there
		h.put(name, h.lines(h.random.IntN(8))+old+h.lines(h.random.IntN(8)))
	case n < 7 && len(old) > 20:
		at := h.random.IntN(len(old) - 10)
		h.put(name, old[:at]+h.lines(1)+old[at+10:])
	case n < 9:
		h.put(name, h.lines(1+h.random.IntN(12)))
	default: // a large text with a pointer in it, to which it may shrink
		h.put(name, h.lines(3000)+h.pointer()+h.lines(3000))
	}
}

func (h *history) put(name, content string) {
	if _, ok := h.files[name]; !ok {
		h.names = append(h.names, name)
	}
	h.files[name] = content
	fmt.Fprintf(h.w, "M 100644 inline %s\ndata %d\n%s\n", name, len(content), content)
}

// pointer is one to an object that is seldom the same, in one of the forms that there are.
func (h *history) pointer() string {
	text := pointer(fmt.Sprintf("%064x", h.random.IntN(500)), h.random.IntN(1_000_000))
	if h.random.IntN(3) > 0 { // as git-lfs writes it, and with digits that differ all over
		text = pointer(fmt.Sprintf("%016x%016x%032x", h.random.Uint64(), h.random.Uint64(), h.random.Uint64()), h.random.IntN(1_000_000))
	}
	switch h.random.IntN(8) {
	case 0:
		return strings.Replace(text, "git-lfs", "hawser", 1)
	case 1:
		return strings.Replace(text, "oid", extension+"oid", 1)
	case 2:
		return strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

func (h *history) lines(n int) string {
	var b strings.Builder
	for range n {
		fmt.Fprintf(&b, "line %x of %d\n", h.random.IntN(1<<20), h.random.IntN(20))
	}
	return b.String()
}

// truth is the list of pointers among these objects, as cat-file gives them.
func (r repository) truth(objects string) List {
	cat := r.command(strings.NewReader(objects), "cat-file", "--batch")
	out, err := cat.StdoutPipe()
	require.NoError(r, err)
	require.NoError(r, cat.Start())
	var all []Object
	for in := bufio.NewReader(out); ; {
		var name, kind string
		var size int
		if _, err := fmt.Fscanf(in, "%s %s %d\n", &name, &kind, &size); err != nil {
			require.Equal(r, io.EOF, err)
			break
		}
		content := make([]byte, size+1)
		_, err := io.ReadFull(in, content)
		require.NoError(r, err)
		if o, ok := ParsePointer(content[:size]); ok && kind == "blob" {
			all = append(all, o)
		}
	}
	require.NoError(r, cat.Wait())
	return NewList(all)
}

// names are the objects that a walk finds.
func names(walk []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(walk)) {
		b.WriteString(line[:40] + "\n")
	}
	return b.String()
}

// objectsIn are those that are in a pack, which may be thin, and whose bases are in r.
func (r repository) objectsIn(pack []byte) string {
	other := repository{r.TB, r.TempDir()}
	other.git("", "init", "--quiet", "--bare")
	require.NoError(r, os.WriteFile(filepath.Join(other.dir, "objects/info/alternates"), []byte(filepath.Join(r.dir, "objects")+"\n"), 0o600))
	packed := bytes.TrimSpace(other.git(string(pack), "index-pack", "--stdin", "--fix-thin"))
	_, hash, _ := bytes.Cut(packed, []byte("\t"))
	index, err := os.ReadFile(filepath.Join(other.dir, fmt.Sprintf("objects/pack/pack-%s.idx", hash)))
	require.NoError(r, err)
	var b strings.Builder
	for line := range strings.Lines(string(other.git(string(index), "show-index"))) {
		var offset int
		var name string
		_, err := fmt.Sscan(line, &offset, &name)
		require.NoError(r, err)
		if offset < len(pack)-20 { // the others are bases that index-pack has added
			b.WriteString(name + "\n")
		}
	}
	return b.String()
}

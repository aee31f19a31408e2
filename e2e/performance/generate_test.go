package performance_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// What a made-up repository is like: its commits are of text mostly, of which each takes about perCommit bytes of the pack with what
// the large binaries among them take.
const (
	perCommit  = 15_000
	maxCommits = 40_000 // of larger repositories, in which the binaries take more
	batch      = 50     // commits whose versions of the same files follow each other: fast-import makes deltas of these only
	hotFiles   = 4      // that change in each batch
	folders    = 50
	inFolder   = 40 // files
	textSize   = 12_000
	binarySize = 1_000_000
)

// generate gives a project a branch with a made-up history, whose pack has about so many bytes. It is the same each time.
func (w *world) generate(b project.Branch, size int64) {
	w.Helper()
	require.NoError(w, w.Source.Create(w.Context(), b.Path()))
	// Packed as it comes, and as a server would keep it: not as loose files, which have to be compressed again for each fetch.
	for _, setting := range [][2]string{{"fastimport.unpackLimit", "0"}, {"core.compression", "1"}} {
		_, err := w.Source.Git(w.Context(), b.Path(), "config", setting[0], setting[1])
		require.NoError(w, err)
	}
	in, out := io.Pipe()
	go func() { _ = out.CloseWithError(writeHistory(out, b.Ref(), size)) }()
	err := w.Source.Import(w.Context(), b.Path(), in)
	_ = in.Close() // frees the writer when fast-import stopped early
	require.NoError(w, err)
}

// generator writes a stream for git-fast-import(1).
type generator struct {
	*bufio.Writer
	random *rand.Rand
	ref    string
	size   int64 // bytes that a commit may take on average
	texts  map[string][]byte
	paths  []string // of texts, in the order in which they were made
	marks  int
	owed   int64 // bytes of binaries that are due
	next   int64 // bytes of the next binary
	most   int64 // bytes of the largest binary
}

// file is a version of a file, by the mark of its content.
type file struct {
	path string
	mark int
}

func writeHistory(to io.Writer, ref string, size int64) error {
	commits := min(max(1, size/perCommit), maxCommits)
	g := &generator{
		Writer: bufio.NewWriterSize(to, 1<<16), random: rand.New(rand.NewPCG(1, 2)), ref: ref,
		size: size / commits, texts: map[string][]byte{}, most: size / 4,
	}
	g.next = min(binarySize, g.most)
	for first := int64(0); first < commits; first += batch {
		g.batch(int(first), int(min(batch, commits-first)))
	}
	return g.Flush()
}

// batch writes the contents of some commits, file by file, and then the commits.
func (g *generator) batch(first, n int) {
	changes := make([][]file, n)
	for hot := range min(hotFiles, len(g.paths)) {
		path := g.paths[g.random.IntN(len(g.paths))]
		for i := range n {
			if i%hotFiles == hot || (i+1)%hotFiles == hot {
				g.edit(path)
				changes[i] = append(changes[i], file{path, g.blob(g.texts[path])})
			}
		}
	}
	for i := range n {
		path := fmt.Sprintf("src/module%02d/file%02d.txt", g.random.IntN(folders), g.random.IntN(inFolder))
		if _, known := g.texts[path]; !known {
			g.paths = append(g.paths, path)
		}
		g.texts[path] = g.text(int(min(textSize, g.size)))
		changes[i] = append(changes[i], file{path, g.blob(g.texts[path])})
		g.owed += g.size - min(g.size, textSize/3) // which a text and its trees take, compressed
		if g.owed >= g.next && g.next > 0 {
			changes[i] = append(changes[i], file{fmt.Sprintf("assets/%d.bin", (first+i)%64), g.binary()})
		}
	}
	for i, files := range changes {
		message := fmt.Sprintf("change %d", first+i)
		fmt.Fprintf(g, "commit %s\ncommitter Demo <demo@example.com> %d +0000\ndata %d\n%s\n", g.ref, 1_600_000_000+60*(first+i), len(message), message)
		for _, f := range files {
			fmt.Fprintf(g, "M 100644 :%d %s\n", f.mark, f.path)
		}
	}
}

func (g *generator) blob(content []byte) (mark int) {
	g.marks++
	fmt.Fprintf(g, "blob\nmark :%d\ndata %d\n", g.marks, len(content))
	_, _ = g.Write(content) // Flush tells
	_ = g.WriteByte('\n')
	return g.marks
}

// binary writes what does not compress, of one to four units.
func (g *generator) binary() (mark int) {
	content := make([]byte, g.owed)
	_, _ = rand.NewChaCha8([32]byte{byte(g.marks), byte(g.marks >> 8), byte(g.marks >> 16)}).Read(content) // never fails
	g.owed, g.next = 0, min(binarySize*int64(1+g.marks%4), g.most)
	return g.blob(content)
}

var words = strings.Fields(`func return if else for range struct type const var package import error string int bool byte
	context client server request response header body reader writer buffer stream chunk offset length size count index key value
	config option default timeout retry limit queue worker task result status state event message topic user group project branch
	commit object pack refs tree blob merge rebase fetch push clone bucket upload download encrypt decrypt sign verify hash`)

// text is lines of words and numbers, which compress to about a third.
func (g *generator) text(size int) []byte {
	text := make([]byte, 0, size+100)
	for len(text) < size {
		text = append(text, g.line()...)
	}
	return text[:size]
}

func (g *generator) line() (line []byte) {
	for range 6 {
		line = append(append(line, words[g.random.IntN(len(words))]...), ' ')
	}
	return fmt.Appendf(line, "%x\n", g.random.Uint32())
}

// edit replaces a line in the middle of a text.
func (g *generator) edit(path string) {
	text := g.texts[path]
	at := g.random.IntN(len(text))
	end := len(text)
	if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
		end = at + i + 1
	}
	g.texts[path] = slices.Concat(text[:at], g.line(), text[end:])
}

// addCommits adds commits to a branch, each of which changes a small file.
func (w *world) addCommits(b project.Branch, n int) {
	w.Helper()
	tip := w.head(w.Source, b)
	var in bytes.Buffer
	for i := range n {
		content := fmt.Sprintf("%x\n", rand.Uint64())
		fmt.Fprintf(&in, "commit %s\ncommitter Demo <demo@example.com> %d +0000\ndata 6\nchange\n", b.Ref(), 1_760_000_000+i)
		if i == 0 {
			fmt.Fprintf(&in, "from %s\n", tip)
		}
		fmt.Fprintf(&in, "M 100644 inline changed/%d\ndata %d\n%s\n", i%10, len(content), content)
	}
	require.NoError(w, w.Source.Import(w.Context(), b.Path(), &in))
}

package packfile

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Types of objects in a pack (gitformat-pack(5)).
const (
	commitType = 1
	treeType   = 2
)

// NewCommit returns a pack of a commit of no files, made at the beginning of 1970 by name and email, and the commit's ID.
// It is the same for the same arguments.
func NewCommit(name, email, message string) (pack []byte, id string) {
	who := fmt.Sprintf("%s <%s> 0 +0000", name, email)
	commit := fmt.Appendf(nil, "tree %s\nauthor %s\ncommitter %s\n\n%s\n", objectID("tree", nil), who, who, message)
	var b bytes.Buffer
	b.WriteString("PACK\x00\x00\x00\x02")
	_ = binary.Write(&b, binary.BigEndian, uint32(2)) // to a buffer
	writeObject(&b, treeType, nil)
	writeObject(&b, commitType, commit)
	sum := sha1.Sum(b.Bytes())
	return append(b.Bytes(), sum[:]...), objectID("commit", commit)
}

func objectID(kind string, content []byte) string {
	sum := sha1.Sum(append(fmt.Appendf(nil, "%s %d\x00", kind, len(content)), content...))
	return hex.EncodeToString(sum[:])
}

// writeObject writes its type and size, four bits of the size and then seven at a time, and its content compressed.
func writeObject(b *bytes.Buffer, kind byte, content []byte) {
	next, size := kind<<4|byte(len(content)&0xf), len(content)>>4
	for ; size > 0; size >>= 7 {
		b.WriteByte(next | 0x80)
		next = byte(size & 0x7f)
	}
	b.WriteByte(next)
	w := zlib.NewWriter(b)
	_, _ = w.Write(content) // to a buffer
	_ = w.Close()
}

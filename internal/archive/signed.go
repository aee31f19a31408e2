package archive

import (
	"archive/tar"
	"fmt"
	"io"
	"time"
)

// signatureSuffix is what the name of a file's signature has in addition.
const signatureSuffix = ".minisig"

// WriteSigned writes a tar of a file and the signature over its content, as ReadSigned reads it.
func WriteSigned(w io.Writer, name string, content, signature []byte, modified time.Time) error {
	tw := tar.NewWriter(w)
	err := writeFile(tw, modified, name, content)
	if err == nil {
		err = writeFile(tw, modified, name+signatureSuffix, signature)
	}
	if err == nil {
		err = tw.Flush() // not Close, as in Write
	}
	if err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}

// ReadSigned reads a tar of exactly a file of at most limit bytes and its signature, which it does not verify. It fails
// with ErrMalformed, or the error of r.
func ReadSigned(r io.Reader, name string, limit int64) (content, signature []byte, err error) {
	m := newMembers(r, limit+maxOverhead, name+signatureSuffix)
	if content, err = m.readNext(name, limit); err == nil {
		signature, err = m.readNext(m.last, maxSignatureSize)
	}
	if err == nil {
		err = m.checkEnd()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read archive: %w", m.classify(err))
	}
	return content, signature, nil
}

func (m *members) readNext(name string, limit int64) ([]byte, error) {
	header, err := m.nextHeader()
	if err != nil {
		return nil, err
	}
	return m.readSmall(header, name, limit)
}

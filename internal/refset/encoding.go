package refset

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

func encode(refs []Ref) []byte {
	var b bytes.Buffer
	for _, ref := range refs {
		b.WriteString(ref.Object + " " + ref.Part)
		if ref.Peeled != "" {
			b.WriteString(" " + ref.Peeled)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func parse(text []byte, limit int, canDelete bool) ([]Ref, error) {
	count := bytes.Count(text, []byte("\n"))
	if count > limit {
		return nil, fmt.Errorf("%w: %d lines, limit %d", ErrMalformed, count, limit)
	}
	refs := make([]Ref, 0, count)
	for line := range strings.Lines(string(text)) {
		ref, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		refs = append(refs, ref)
	}
	if err := validate(refs, canDelete); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return refs, nil
}

func parseLine(line string) (Ref, error) {
	fields, isLine := strings.CutSuffix(line, "\n")
	object, rest, _ := strings.Cut(fields, " ")
	part, peeled, hasPeeled := strings.Cut(rest, " ")
	if !isLine || hasPeeled && peeled == "" {
		return Ref{}, fmt.Errorf("%s is not a line of it", foreign.Quote(line, 80))
	}
	return Ref{Part: part, Object: object, Peeled: peeled}, nil
}

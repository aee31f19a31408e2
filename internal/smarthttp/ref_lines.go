package smarthttp

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// refLines passes on the wanted refs of a server's ref lines (gitprotocol-pack(5), gitprotocol-v2(5)), one line late:
// before v2, what a tag peels to has a line of its own after that of the tag.
type refLines struct {
	named    []string            // full names, in the order in which they are asked for
	names    map[string]struct{} // the same
	prefixes []string
	peel     bool
	symrefs  bool
	head     string // HEAD's target as v0's capabilities tell it
	visit    func(Ref) error

	last Ref // not visited yet; without a name there is none
}

func newRefLines(wanted Wanted, visit func(Ref) error) *refLines {
	names := make(map[string]struct{}, len(wanted.Names))
	for _, name := range wanted.Names {
		names[name] = struct{}{}
	}
	return &refLines{
		named: wanted.Names, names: names, prefixes: wanted.Prefixes,
		peel: wanted.Peel, symrefs: wanted.Symrefs, visit: visit,
	}
}

// read reads ref lines up to the flush packet. It keeps none, so memory does not depend on how many refs a repository
// has.
func (r *refLines) read(pkts *pktReader) error {
	for range maxRefs {
		line, err := pkts.nextPacket()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return r.passOn()
		}
		if err := r.add(line, pkts); err != nil {
			return err
		}
	}
	return fmt.Errorf("server lists more than %d refs", maxRefs)
}

// add takes a line "<object> <ref>[ <attribute>...]".
func (r *refLines) add(line []byte, pkts *pktReader) error {
	object, rest, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	name, attributes, _ := bytes.Cut(rest, []byte(" "))
	tag, peels := bytes.CutSuffix(name, []byte("^{}"))
	switch {
	case peels && (!r.peel || string(tag) != r.last.Name || r.last.Name == ""):
		return nil
	case !peels && !r.matches(name):
		return nil
	case !isHash(string(object)):
		return fmt.Errorf("server gives %q as the commit of %q", pkts.mask.Line(string(object), 64), pkts.mask.Line(string(name), maxLineLength))
	case peels:
		r.last.Peeled = string(object)
		return nil
	}
	if err := r.passOn(); err != nil {
		return err
	}
	r.last = Ref{Name: string(name), Object: string(object)}
	if r.symrefs && r.last.Name == "HEAD" {
		r.last.SymrefTarget = r.head
	}
	return r.addAttributes(string(attributes), pkts)
}

// addAttributes adds what v2 says of a ref in its line.
func (r *refLines) addAttributes(attributes string, pkts *pktReader) error {
	if !r.peel && !r.symrefs {
		return nil
	}
	for attribute := range strings.SplitSeq(attributes, " ") {
		if peeled, ok := strings.CutPrefix(attribute, "peeled:"); ok && r.peel {
			if !isHash(peeled) {
				return fmt.Errorf("server gives %q as what %q peels to", pkts.mask.Line(peeled, 64), pkts.mask.Line(r.last.Name, maxLineLength))
			}
			r.last.Peeled = peeled
		}
		if target, ok := strings.CutPrefix(attribute, "symref-target:"); ok && r.symrefs {
			r.last.SymrefTarget = target
		}
	}
	return nil
}

// passOn visits the last ref, now that all is known of it.
func (r *refLines) passOn() error {
	ref := r.last
	r.last = Ref{}
	if ref.Name == "" {
		return nil
	}
	return r.visit(ref)
}

func (r *refLines) matches(name []byte) bool {
	if _, named := r.names[string(name)]; named {
		return true
	}
	return slices.ContainsFunc(r.prefixes, func(prefix string) bool {
		return len(name) >= len(prefix) && string(name[:len(prefix)]) == prefix
	})
}

// isSafeRefName tells whether a name stays within its field of a pkt-line. It does not check all of
// git-check-ref-format(1).
func isSafeRefName(s string) bool {
	return s != "" && !strings.HasSuffix(s, "/") && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

// isHash tells whether s is the name of an object. The null hash is none.
func isHash(s string) bool {
	return len(s) == 40 && s != nullHash && strings.Trim(s, "0123456789abcdef") == ""
}

package lfs

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MaxPointerSize is the size in bytes from which on a blob is no pointer.
const MaxPointerSize = 1024

// pointerPattern is the form of a pointer, as git-lfs 3 reads it (lfs/pointer.go). That is more than it writes: the
// versions from before the release, blank lines, white space around the text, and lines that end as on Windows. The lines
// of extensions may be anywhere before the size.
const pointerPattern = `[\t\n\v\f\r ]*` + extensions +
	`version (?:https://git-lfs\.github\.com/spec/v1|https://hawser\.github\.com/spec/v1|http://git-media\.io/v/2)` + lineBreaks + extensions +
	`oid sha256:([0-9a-f]{64})` + lineBreaks + extensions +
	`size ([+-]?[0-9]+)[\t\n\v\f\r ]*`

const (
	lineBreaks = `(?:\r?\n)+`
	extensions = `(?:ext-[0-9]-[0-9A-Za-z_][^ \n]* [^\n]*\n(?:\r?\n)*)*`
)

var (
	pointerRegexp = regexp.MustCompile(`\A` + pointerPattern + `\z`)

	// extensionRegexp is an extension's line: its key with the priority, and the OID before the extension.
	extensionRegexp = regexp.MustCompile(`(?m)^(ext-([0-9])-[^ \n]+) (.*?)\r?$`)
)

// ParsePointer returns the object that a blob points to, and false for a blob that is no pointer. Two kinds of blobs are
// none although git-lfs reads them as pointers: the empty one, which needs no object, and a text that is not ASCII,
// which only the name of an extension could have. The specification allows it none.
func ParsePointer(blob []byte) (Object, bool) {
	if len(blob) >= MaxPointerSize || slices.ContainsFunc(blob, neverInPointer) {
		return Object{}, false
	}
	match := pointerRegexp.FindSubmatch(blob)
	if match == nil || !validExtensions(blob) {
		return Object{}, false
	}
	size, err := strconv.ParseInt(string(match[2]), 10, 64)
	o := Object{OID: string(match[1]), Size: size}
	return o, err == nil && o.Validate() == nil
}

// validExtensions tells whether each extension has an OID, and a priority of its own. Of two lines with the same key,
// git-lfs reads the last one.
func validExtensions(pointer []byte) bool {
	oids, keys := map[string]string{}, map[string]string{} // by key, and by priority
	for _, line := range extensionRegexp.FindAllStringSubmatch(string(pointer), -1) {
		key, priority, value := line[1], line[2], line[3]
		if other, ok := keys[priority]; ok && other != key {
			return false
		}
		keys[priority], oids[key] = key, value
	}
	for _, value := range oids {
		oid, isSHA256 := strings.CutPrefix(value, "sha256:")
		if !isSHA256 || validateOID(oid) != nil {
			return false
		}
	}
	return true
}

// neverInPointer tells bytes that no pointer contains.
func neverInPointer(b byte) bool {
	return b > '~' || b < ' ' && (b < '\t' || b > '\r')
}

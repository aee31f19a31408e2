package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

func atD(h timeline) string { return h.d }

// noCommit is a commit that nobody has.
const noCommit = "1111111111111111111111111111111111111111"

// attacks has one entry for each; the first two are left in peace.
var attacks = []attack{
	{name: "peace", do: func(*attacker, victim) {}, becomes: atD},
	{name: "fresh-peace", fresh: true, do: func(*attacker, victim) {}, becomes: atD},

	{name: "forged", kind: "BadSignature", text: "signature is not by a trusted key",
		do: func(a *attacker, v victim) { key := v.key(a.commit, ""); a.put(key, a.forge(key, a.signer)) }},
	{name: "forged-increment", kind: "BadSignature", text: "signature is not by a trusted key",
		do: func(a *attacker, v victim) { key := v.key(a.commit, v.d); a.put(key, a.forge(key, a.signer)) }},
	{name: "forged-over", kind: "BadSignature", text: "signature is not by a trusted key",
		do: func(a *attacker, v victim) { a.put(v.newest(), a.forge(v.newest(), a.signer)) }},
	{name: "forged-base", kind: "BadSignature", text: "signature is not by a trusted key", fresh: true,
		do: func(a *attacker, v victim) { a.put(v.snapshot(), a.forge(v.snapshot(), a.signer)) }},
	{name: "forged-branch", elsewhere: "mirror/attack/forged-branch@elsewhere",
		do: func(a *attacker, v victim) {
			key := v.keyOf("mirror/attack/forged-branch@elsewhere", a.commit, "")
			a.put(key, a.forge(key, a.signer))
		}},
	{name: "forged-tag", elsewhere: "mirror/attack/forged-tag@refs/tags/elsewhere",
		do: func(a *attacker, v victim) {
			key := v.keyOf("mirror/attack/forged-tag@refs/tags/elsewhere", a.commit, "")
			a.put(key, a.forge(key, a.signer))
		}},
	{name: "forged-new", elsewhere: "mirror/elsewhere/new@main",
		do: func(a *attacker, v victim) {
			key := v.keyOf("mirror/elsewhere/new@main", a.commit, "")
			a.put(key, a.forge(key, sign.Unsigned()))
		}},
	{name: "forged-many", kind: "BadSignature", text: "signature is not by a trusted key",
		do: func(a *attacker, v victim) {
			object := a.forge(v.key(a.commit, ""), a.signer)
			for n := range 300 {
				a.put(v.key(fmt.Sprintf("%040x", n+1), ""), object)
			}
			a.awaitNextSecond()
			a.put(v.key(a.commit, ""), object)
		}},
	{name: "forged-spelling", kind: "BadSignature", text: "signature is not by a trusted key", elsewhere: "Mirror/Attack/Forged-Spelling@main",
		do: func(a *attacker, v victim) {
			key := v.keyOf("Mirror/Attack/Forged-Spelling@main", a.commit, "")
			a.put(key, a.forge(key, a.signer))
		}},
	{name: "forged-circle", kind: "BrokenChain", text: "the bucket's chain is broken: it has no object for commit ",
		do: func(a *attacker, v victim) {
			there, back := v.key(a.commit, noCommit), v.key(noCommit, a.commit)
			a.put(back, a.forge(back, a.signer))
			a.put(there, a.forge(there, a.signer))
		}},
	{name: "forged-still", kind: "BadSignature", text: "signature is not by a trusted key",
		do: func(a *attacker, v victim) { key := v.key(v.d, v.d); a.put(key, a.forge(key, a.signer)) }},
	{name: "unsigned", kind: "Unsigned", text: "object is not signed",
		do: func(a *attacker, v victim) { key := v.key(a.commit, ""); a.put(key, a.forge(key, sign.Unsigned())) }},
	{name: "resigned", kind: "BadSignature", text: "or what it signs was altered",
		do: func(a *attacker, v victim) { // with the signature of another manifest
			key := v.key(a.commit, "")
			forged, signed := a.members(a.forge(key, a.signer)), a.members(a.kept[v.newest()])
			a.put(key, a.seal(forged[0], signed[1], forged[2]))
		}},

	{name: "swapped-1", kind: "ObjectMismatch", text: `project_name is "swapped-2" in the manifest, "swapped-1" in the key`,
		do: func(a *attacker, v victim) { a.put(v.newest(), a.kept[v.of("swapped-2").newest()]) }},
	{name: "swapped-2", kind: "ObjectMismatch", text: `project_name is "swapped-1" in the manifest, "swapped-2" in the key`,
		do: func(a *attacker, v victim) { a.put(v.newest(), a.kept[v.of("swapped-1").newest()]) }},
	{name: "renamed-group", elsewhere: "mirror/elsewhere/renamed-group@main",
		do: func(a *attacker, v victim) {
			a.put(v.keyOf("mirror/elsewhere/renamed-group@main", v.a, ""), a.kept[v.snapshot()])
		}},
	{name: "renamed-branch", elsewhere: "mirror/attack/renamed-branch@elsewhere",
		do: func(a *attacker, v victim) {
			a.put(v.keyOf("mirror/attack/renamed-branch@elsewhere", v.a, ""), a.kept[v.snapshot()])
		}},
	{name: "renamed-commit", kind: "ObjectMismatch", text: "commit_sha is ",
		do: func(a *attacker, v victim) { a.put(v.key(a.commit, v.c), a.kept[v.newest()]) }},
	{name: "renamed-base", kind: "ObjectMismatch", text: `base_sha is `,
		do: func(a *attacker, v victim) { a.put(v.key(v.d, ""), a.kept[v.newest()]) }},

	{name: "replayed-increment", kind: "ObjectWithheld", text: "an older object is in the place of the newest: it was made ",
		do: func(a *attacker, v victim) {
			a.delete(v.newest(), v.key(v.c, v.b))
			a.put(v.key(v.b, v.a), a.kept[v.key(v.b, v.a)])
		}},
	{name: "replayed-snapshot", kind: "ObjectWithheld", text: "an older object is in the place of the newest: it was made ",
		do: func(a *attacker, v victim) { a.delete(v.chain()...); a.put(v.snapshot(), a.kept[v.snapshot()]) }},
	{name: "replayed-beside", kind: "ObjectWithheld", text: "an older object is in the place of the newest: it was made ",
		do: func(a *attacker, v victim) { a.put(v.snapshot(), a.kept[v.snapshot()]) }},

	{name: "withheld", kind: "ObjectWithheld", text: "the bucket's newest object of it was uploaded ", planned: true, do: func(a *attacker, v victim) { a.delete(v.newest()) }},
	{name: "fresh-withheld", kind: "ObjectWithheld", text: "the bucket's newest object of it was uploaded ", planned: true, fresh: true,
		do: func(a *attacker, v victim) { a.delete(v.chain()[1:]...) }},
	{name: "withheld-all", kind: "ObjectWithheld", text: "the bucket has no object of it", planned: true,
		do: func(a *attacker, v victim) { a.delete(v.chain()...) }},
	{name: "middle", becomes: atD, do: func(a *attacker, v victim) { a.delete(v.key(v.b, v.a)) }},
	{name: "fresh-middle", fresh: true, kind: "BrokenChain", text: "the bucket's chain is broken: it has no object for commit ",
		do: func(a *attacker, v victim) { a.delete(v.key(v.b, v.a)) }},

	{name: "flipped-0", kind: "ForeignObject", text: "not an age file", do: flip(0)},
	{name: "flipped-1", kind: "CorruptObject", text: "corrupt age file", do: flip(1)},
	{name: "cut-ciphertext", kind: "CorruptObject", text: "corrupt age file",
		do: func(a *attacker, v victim) { object := a.kept[v.newest()]; a.put(v.newest(), object[:len(object)-1]) }},
	{name: "cut-signature", kind: "MalformedObject", text: "ends before repository.bundle",
		do: func(a *attacker, v victim) { a.put(v.newest(), a.seal(a.members(a.kept[v.newest()])[:2]...)) }},
	{name: "cut-bundle", kind: "MalformedObject", text: "truncated",
		do: func(a *attacker, v victim) {
			m := a.members(a.kept[v.newest()])
			m[2].content = m[2].content[:1000]
			a.put(v.newest(), a.seal(m...))
		}},

	{name: "larger", kind: "MalformedObject", text: " bytes, the manifest says ",
		do: swapBundle(func(b []byte) []byte { return append(b, 0) })},
	{name: "altered", kind: "MalformedObject", text: "the SHA-256 of repository.bundle is ",
		do: swapBundle(func(b []byte) []byte { b[len(b)-1]++; return b })},
	{name: "terabyte", kind: "BadSignature", text: "signature is not by a trusted key",
		do: func(a *attacker, v victim) {
			m := a.members(a.kept[v.newest()])
			m[0], m[1] = a.claim(m[0], 1<<40)
			m[2].claims = 1 << 40
			a.put(v.newest(), a.seal(m...))
		}},
	{name: "huge-manifest", kind: "MalformedObject", text: "manifest.json is of 1048576 bytes, limit 65536",
		do: func(a *attacker, v victim) {
			m := a.members(a.kept[v.newest()])
			m[0].content, m[0].claims = append(m[0].content, bytes.Repeat([]byte(" "), 1<<20-len(m[0].content))...), 1<<20
			a.put(v.newest(), a.seal(m...))
		}},
	{name: "sparse", kind: "MalformedObject", text: "is sparse", do: sparse},
	{name: "endless", kind: "MalformedObject", text: "longer than its manifest allows",
		do: func(a *attacker, v victim) {
			zeros := io.LimitReader(zero{}, 32<<20)
			a.put(v.newest(), a.encrypt(io.MultiReader(bytes.NewReader(a.decrypt(a.kept[v.newest()])), zeros)))
		}},
}

// of is another victim.
func (v victim) of(name string) victim { v.name = name; return v }

// flip alters one byte of each 4,096.
func flip(n int) func(*attacker, victim) {
	return func(a *attacker, v victim) {
		object := bytes.Clone(a.kept[v.newest()])
		object[4096*n] ^= 1
		a.put(v.newest(), object)
	}
}

// swapBundle puts another bundle behind a signed manifest.
func swapBundle(change func([]byte) []byte) func(*attacker, victim) {
	return func(a *attacker, v victim) {
		m := a.members(a.kept[v.newest()])
		m[2].content = change(m[2].content)
		m[2].claims = int64(len(m[2].content))
		a.put(v.newest(), a.seal(m...))
	}
}

// claim is the manifest with another size in it, and the attacker's signature.
func (a *attacker) claim(m member, size int64) (manifest, signature member) {
	a.Helper()
	parsed, err := archive.ParseManifest(m.content)
	require.NoError(a, err)
	parsed.Size = size
	text, err := parsed.Encode()
	require.NoError(a, err)
	minisig, err := a.signer.Sign(text)
	require.NoError(a, err)
	return member{m.name, text, int64(len(text))}, member{"manifest.json.minisig", minisig, int64(len(minisig))}
}

// sparse makes a bundle of a terabyte of a few blocks.
func sparse(a *attacker, v victim) {
	dir := a.TempDir()
	m := a.members(a.kept[v.newest()])[0]
	require.NoError(a, os.WriteFile(filepath.Join(dir, m.name), m.content, 0o600))
	require.NoError(a, os.WriteFile(filepath.Join(dir, "repository.bundle"), nil, 0o600))
	require.NoError(a, os.Truncate(filepath.Join(dir, "repository.bundle"), 1<<40))
	tar := exec.Command("tar", "--format=pax", "--sparse-version=1.0", "-c", "--sparse", "-C", dir, m.name, "repository.bundle")
	out, err := tar.Output()
	require.NoError(a, err)
	a.put(v.newest(), a.encrypt(bytes.NewReader(out)))
}

// zero never ends.
type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }

package activities

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"filippo.io/age"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// bundle is one that Decrypt has verified.
func (r *rig) bundle(d consuming, i int) []byte {
	r.Helper()
	run, err := r.consumer.Staging.Run(d.Staged.Run)
	require.NoError(r, err)
	file, err := openBundle(run, i, d.Bundles[i], r.consumer.Identities)
	require.NoError(r, err)
	defer file.Close()
	content := make([]byte, d.Bundles[i].Size)
	_, err = io.ReadFull(file, content)
	require.NoError(r, err)
	return content
}

// What was verified is what is pushed, or nothing: from an object, and from the file that a predecessor's becomes. Whoever
// knows the public key can encrypt other bundles, behind the manifest that was verified.
func TestAlteredBundleIsNotPushed(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	values := r.watch()
	tip := r.commit(random(200_000))
	r.produce()
	decrypted := must(r, r.decrypt, r.received())
	run, err := r.consumer.Staging.Run(decrypted.Staged.Run)
	require.NoError(t, err)
	object, good := r.object(decrypted), r.bundle(decrypted, 0)
	plaintext, err := decryptAll(object, r.consumer.Identities)
	require.NoError(t, err)
	before, after, found := bytes.Cut(plaintext, good)
	require.True(t, found)
	sealed := func(content []byte) []byte { return r.seal(slices.Concat(before, content, after)) }

	flipped := func(content []byte, i int) []byte {
		content = bytes.Clone(content)
		content[i] ^= 1
		return content
	}
	isAltered := func(name string) {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, fails(r, "AlteredFile", r.push, decrypted), "Find out who or what writes to WORKDIR")
			require.Empty(t, values())
			require.Empty(t, r.ownRefs())
		})
	}
	pack := bytes.Index(good, []byte("PACK"))
	for name, content := range map[string][]byte{
		"header": flipped(good, 3), "commit in the header": flipped(good, 20), "pack's number of objects": flipped(good, pack+11),
		"pack": flipped(good, len(good)/2), "last byte held back": flipped(good, len(good)-1), "first byte held back": flipped(good, len(good)-heldBackSize),
		"before it": flipped(good, len(good)-heldBackSize-1),
		"cut":       good[:len(good)-1], "longer": append(bytes.Clone(good), 0), "empty": nil, "only the header": good[:pack],
	} {
		require.NoError(t, stageText(run, numbered(bundleFile, 0), content))
		r.receive(decrypted, object)
		isAltered("file/" + name)
		require.NoError(t, run.Discard(numbered(bundleFile, 0)))
		if name == "longer" {
			continue // nobody reads what is behind the bundle in an object
		}
		r.receive(decrypted, sealed(content))
		isAltered("object/" + name)
	}
	for name, content := range map[string][]byte{
		"intro": flipped(object, 0), "recipient": flipped(object, 60), "pack": flipped(object, len(object)/2), "end": flipped(object, len(object)-1),
		"cut": object[:len(object)-1], "longer": append(bytes.Clone(object), 0), "empty": nil, "manifest": r.seal(flipped(plaintext, 600)),
		"of another": r.anotherObject(), "no archive": r.seal(good),
	} {
		r.receive(decrypted, content)
		isAltered("ciphertext/" + name)
	}
	r.receive(decrypted, sealed(good))
	must(r, r.push, decrypted)
	require.Equal(t, tip, r.tip())
}

// anotherObject is a later one of the same destination, as the bucket has it.
func (r *rig) anotherObject() []byte {
	r.Helper()
	r.commit("another")
	return r.content(r.produce()[0].Key)
}

func decryptAll(object []byte, identities []age.Identity) ([]byte, error) {
	plaintext, err := crypt.Decrypt(bytes.NewReader(object), identities)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(plaintext)
}

// A producer's signature does not make a bundle one of another commit, base or branch.
func TestBundleOfAnotherCommitIsNotPushed(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit(random(20_000))
	r.produce()
	decrypted := must(r, r.decrypt, r.received())
	good, other := decrypted.Bundles[0], strings.Repeat("e", 40)
	for name, alter := range map[string]func(*consuming){
		"commit": func(d *consuming) { d.Target.Commit, d.Bundles[0].Commit = other, other },
		"base":   func(d *consuming) { d.Bundles[0].Base = other },
		"branch": func(d *consuming) { d.Work.Plan.Destination.Branch = "other" },
	} {
		altered := decrypted
		altered.Bundles = []archive.Bundle{good}
		alter(&altered)
		require.Contains(t, fails(r, "ObjectMismatch", r.push, altered), ErrBundleDiffers.Error(), name)
		require.Empty(t, r.ownRefs())
	}
}

// However a file is read, its end comes only after all of it has been verified.
func TestVerifiedReader(t *testing.T) {
	for size := range 50 {
		content := bytes.Repeat([]byte("x"), size)
		sum := sha256.Sum256(content)
		for _, wrap := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.DataErrReader, iotest.HalfReader} {
			reader := func(content []byte) *verifiedReader {
				return &verifiedReader{r: wrap(bytes.NewReader(content)), left: int64(size), sum: sha256.New(), want: hex.EncodeToString(sum[:])}
			}
			got, err := io.ReadAll(reader(content))
			require.NoError(t, err)
			require.Equal(t, string(content), string(got))
			for i := range size {
				altered := bytes.Clone(content)
				altered[i] = 'y'
				got, err := io.ReadAll(reader(altered))
				require.ErrorIs(t, err, ErrAltered)
				require.LessOrEqual(t, len(got), max(0, size-heldBackSize))
			}
			if size > 0 {
				_, err = io.ReadAll(reader(content[1:]))
				require.ErrorIs(t, err, ErrAltered)
			}
		}
	}
}

// A run that somebody starts by hand brings a destination nothing that was signed for another one.
func TestRunOfAnotherDestination(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit(random(20_000))
	r.produce()
	r.commit("two")
	r.produce()
	p := r.planPushes().Moves[0]
	d := must(r, r.download, p)
	require.Len(t, d.Objects, 2)
	require.NoError(t, r.destination.Create(t.Context(), "mirror/other"))

	for name, change := range map[string]func(*plan.Push){
		"destination":         func(p *plan.Push) { p.Destination.Group, p.Destination.Name = "mirror", "other" },
		"branch":              func(p *plan.Push) { p.Destination.Branch = "other" },
		"commit":              func(p *plan.Push) { p.Commit = p.Objects[0].Commit },
		"an object's commit":  func(p *plan.Push) { p.Objects[1].Key = p.Objects[1].Base + "/" + p.Objects[0].Key },
		"an object's base":    func(p *plan.Push) { p.Objects[1].Key = strings.TrimPrefix(p.Objects[1].Key, p.Objects[1].Base+"/") },
		"order":               func(p *plan.Push) { p.Objects[0], p.Objects[1] = p.Objects[1], p.Objects[0] },
		"only the first":      func(p *plan.Push) { p.Objects = p.Objects[:1] },
		"an object's content": func(p *plan.Push) { p.Objects[0].Key = strings.Replace(p.Objects[1].Key, p.Objects[1].Base+"/", "", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			p := p
			p.Objects = append([]object.Stored(nil), p.Objects...)
			change(&p)
			fails(r, "OtherDestination", r.download, p)
			d := d
			d.Work.Plan.Destination, d.Target.Commit, d.Objects = p.Destination, p.Commit, p.Objects
			fails(r, "OtherDestination", r.decrypt, d)
		})
	}
}

// counted has the consumer read the bucket over connections that count the bytes that come in.
func (r *rig) counted() *atomic.Int64 {
	r.Helper()
	n := new(atomic.Int64)
	client := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
		tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return &countedConn{conn, n}, err
		}
	})
	b, err := bucket.Open(r.Context(), bucket.Options{Name: r.s3.Name, PathStyle: true}, r.s3.ClientConfig(r.s3.Consumer), config.WithHTTPClient(client))
	require.NoError(r, err)
	r.consumer.Bucket = b
	return n
}

type countedConn struct {
	net.Conn
	n *atomic.Int64
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// A forged object costs its first bytes, however large it is, and so does the chain that it is in.
func TestForgedObjectIsFoundOutByItsStart(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	trusted := r.producer.Signer
	r.commit(random(1_000_000))
	r.produce()
	tip := r.commit(random(500_000))
	read := r.counted()

	r.producer.Signer, _ = signingKey(t)
	forged := r.produce()[0]
	require.Greater(t, forged.Size, int64(2*objectHeadSize))
	read.Store(0)
	text := fails(r, "BadSignature", r.download, r.planPushes().Moves[0])
	require.Contains(t, text, forged.Key)
	require.Less(t, read.Load(), int64(3*objectHeadSize))

	garbage := append([]byte(nil), r.seal(make([]byte, 1_000_000))...)
	r.put(forged.Key, garbage)
	read.Store(0)
	fails(r, "MalformedObject", r.download, r.planPushes().Moves[0])
	require.Less(t, read.Load(), int64(3*objectHeadSize))

	r.producer.Signer = trusted
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), forged.Key))
	require.Equal(t, object.ID{Destination: r.sync.Destination, Commit: tip}, r.produce()[0].ID, "the catalog is the other key's")
	r.consume()
	require.Equal(t, tip, r.tip())
}

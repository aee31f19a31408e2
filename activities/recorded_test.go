package activities

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

// recorded is an object that another version of the producer wrote (testdata/format-1).
type recorded struct {
	File      string    `json:"file"`
	Key       string    `json:"key"`
	CreatedAt time.Time `json:"created_at"`
}

// recordedObjects are in the order in which they were uploaded.
func recordedObjects(t *testing.T) (objects []recorded) {
	t.Helper()
	require.NoError(t, json.Unmarshal(fromFormat1(t, "objects.json"), &objects))
	require.Len(t, objects, 3)
	return objects
}

func fromFormat1(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "format-1", name))
	require.NoError(t, err)
	return content
}

// newRecordedRig is both sides with the keys, the environment and the names of the recorded objects, an hour after these were made.
func newRecordedRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	objects := recordedObjects(t)
	r.sync.Destination.Branch = "release/größe-1.0"
	r.configure(r.sync)
	now := func() time.Time { return objects[2].CreatedAt.Add(time.Hour) }
	r.producer.Clock, r.consumer.Clock = now, now
	var err error
	r.consumer.Identities, err = crypt.ParseIdentities(string(fromFormat1(t, "test-age.key")))
	require.NoError(t, err)
	r.consumer.Verifier, err = sign.ParseVerifier(string(fromFormat1(t, "test-signing.pub")))
	require.NoError(t, err)
	r.consumer.Environment, err = archive.ParseEnvironment("recorded")
	require.NoError(t, err)
	r.producer.Environment = "recorded"
	r.producer.Signer, err = sign.ParseSigner(string(fromFormat1(t, "test-signing.key")))
	require.NoError(t, err)
	r.producer.Recipients = []age.Recipient{r.consumer.Identities[0].(*age.X25519Identity).Recipient()}
	return r
}

func (o recorded) put(r *rig) {
	r.Helper()
	content := fromFormat1(r.T, o.File)
	err := r.producer.Bucket.Upload(r.Context(), o.Key, bytes.NewReader(content), int64(len(content)), bucket.WithCreatedAt(o.CreatedAt))
	require.NoError(r, err)
}

// Objects are read for good: those of an earlier version are listed, planned, verified and pushed, one by one as they come or all
// at once to a destination that has nothing, and what is uploaded next is an increment on one of them.
func TestRecordedObjects(t *testing.T) {
	t.Parallel()
	for name, oneByOne := range map[string]bool{"one by one": true, "all at once": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRecordedRig(t)
			objects := recordedObjects(t)
			for i, o := range objects {
				o.put(r)
				if oneByOne || i == len(objects)-1 {
					r.requireArrived(o)
				}
			}
			last, err := object.ParseKey(objects[2].Key)
			require.NoError(t, err)
			r.requireExtended(last.Commit)
		})
	}
}

// requireArrived consumes what is in the bucket, of which this object is the newest.
func (r *rig) requireArrived(o recorded) {
	r.Helper()
	want, err := object.ParseKey(o.Key)
	require.NoError(r, err)
	pushed := r.consume()
	require.Len(r, pushed, 1)
	require.Equal(r, want.Commit, r.tip(), pushed[0].Summary)
	guard := fmt.Sprintf("refs/git-partition-sync/applied/%s/at-%d", want.Destination.Branch, o.CreatedAt.UnixNano()) // as the other version has it
	_, err = r.destination.Git(r.Context(), destinationRepo, "rev-parse", "--verify", guard)
	require.NoError(r, err)
	require.Empty(r, r.planPushes().Moves)
}

// requireExtended commits to a source that is at the tip of the recorded chain, and lets the branch cross.
func (r *rig) requireExtended(tip string) {
	r.Helper()
	_, err := r.source.Git(r.Context(), sourceRepo, "fetch", "--quiet", r.destination.Dir(destinationRepo), r.sync.Destination.Ref()+":"+r.sync.Source.Ref())
	require.NoError(r, err)
	require.Empty(r, must(r, r.producer.PlanUploads, PlanRequest{}).Moves, "the bucket has this")
	next := r.commit("a change of today")
	uploaded := r.produce()
	require.Len(r, uploaded, 1)
	require.Contains(r, uploaded[0].Summary, "increment "+plan.Short(tip), "the chain was begun anew")
	require.Len(r, r.consume(), 1)
	require.Equal(r, next, r.tip())
}

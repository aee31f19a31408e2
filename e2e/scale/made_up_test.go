package scale_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/object"
)

// madeUpProducer is the producer of made-up repositories: it plans, uploads, renews the catalog and prunes as the product does. The
// steps before the upload move nothing.
type madeUpProducer struct {
	*activities.Producer
	source *forge
}

// aHash is in the place of one over content that there is none of.
var aHash = strings.Repeat("0123456789abcdef", 4)

func (p *madeUpProducer) Clone(ctx context.Context, work activities.UploadWork) (cloned activities.Cloned, err error) {
	source := work.Plan.Sync.Source
	refs, err := p.source.Refs(ctx, source.Path(), source.Ref())
	cloned.Staged = activities.Staged{Host: p.Host, Run: activity.GetInfo(ctx).WorkflowExecution.RunID}
	cloned.Bundle = archive.Bundle{
		ID:   object.ID{Destination: work.Plan.Sync.Destination, Commit: refs[source.Ref()], Base: work.Plan.Base},
		Thin: work.Plan.Base != "", Size: 1000, SHA256: aHash,
	}
	return cloned, err
}

func (p *madeUpProducer) Package(context.Context, activities.UploadWork, activities.PackageInput) (activities.Packaged, error) {
	return activities.Packaged{CreatedAt: time.Now().UTC(), ManifestSHA256: aHash}, nil
}

func (p *madeUpProducer) Encrypt(_ context.Context, work activities.UploadWork) (encrypted activities.Encrypted, err error) {
	run, err := p.Staging.Run(work.Staged.Run)
	if err != nil {
		return encrypted, err
	}
	content := "object of run " + work.Staged.Run
	encrypted.Size = int64(len(content))
	return encrypted, run.Create("package.tar.age", func(f *os.File) error {
		_, err := f.WriteString(content)
		return err
	})
}

// madeUpConsumer is the consumer likewise: it plans as the product does.
type madeUpConsumer struct {
	*activities.Consumer
	destination *forge
}

func (c *madeUpConsumer) Download(ctx context.Context, work activities.PushWork) (activities.Downloaded, error) {
	return activities.Downloaded{
		Staged:  activities.Staged{Host: c.Host, Run: activity.GetInfo(ctx).WorkflowExecution.RunID},
		Target:  activities.Target{Commit: work.Plan.Commit, SeenTip: work.Plan.Head, SeenChain: work.Plan.ChainState()},
		Objects: work.Plan.Objects,
	}, nil
}

func (c *madeUpConsumer) Decrypt(_ context.Context, _ activities.PushWork, in activities.DecryptInput) (d activities.Decrypted, err error) {
	for _, o := range in.Objects {
		d.Bundles = append(d.Bundles, archive.Bundle{ID: o.ID, CreatedAt: o.Modified, Size: o.Size, SHA256: aHash})
	}
	return d, nil
}

// Push moves the branch, and has the destination note which object that was.
func (c *madeUpConsumer) Push(_ context.Context, work activities.PushWork, in activities.PushInput) (activities.Pushed, error) {
	to, newest := work.Plan.Destination, work.Plan.Objects[len(work.Plan.Objects)-1]
	note := "refs/git-partition-sync/applied/" + to.Branch + "/object-" + strconv.FormatInt(newest.Modified.Unix(), 10)
	c.destination.set(to.Path(), map[string]string{to.Ref(): in.Target.Commit, note: in.Target.Commit})
	return activities.Pushed{Summary: fmt.Sprintf("moved to %.8s", in.Target.Commit), Old: in.Target.SeenTip, Commit: in.Target.Commit, Size: newest.Size}, nil
}

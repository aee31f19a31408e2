package model

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// openBucket opens the store for workers. Each call waits for its turn before the client's own limits of time begin, so that a worker
// may be held up for longer than these.
func openBucket(ctx context.Context, s *schedule, store *store) *bucket.Bucket {
	turns := middleware.InitializeMiddlewareFunc("turns", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
		out middleware.InitializeOutput, metadata middleware.Metadata, err error,
	) {
		err = s.pass(ctx, describe(in.Parameters), func(o outcome) error {
			_, isListing := in.Parameters.(*s3.ListObjectsV2Input)
			store.prepare(attemptOf(ctx), isListing, o)
			out, metadata, err = next.HandleInitialize(ctx, in)
			return err
		})
		return out, metadata, err
	})
	b, err := bucket.Open(ctx, bucket.Options{Name: "partition", PathStyle: true},
		config.WithBaseEndpoint("http://store.test"), config.WithRegion("us-east-1"),
		config.WithSharedConfigFiles(nil), config.WithSharedCredentialsFiles(nil),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("user", "secret", "")),
		config.WithHTTPClient(&http.Client{Transport: store}),
		config.WithAPIOptions([]func(*middleware.Stack) error{
			func(stack *middleware.Stack) error { return stack.Initialize.Add(turns, middleware.Before) },
		}))
	if err != nil {
		panic(err) // it makes no request
	}
	return b
}

// describe says what is asked of the store.
func describe(input any) string {
	switch in := input.(type) {
	case *s3.ListObjectsV2Input:
		base, _, _ := strings.Cut(aws.ToString(in.Prefix), "/")
		return "LIST " + base[:min(4, len(base))]
	case *s3.HeadBucketInput:
		return "clock"
	case *s3.HeadObjectInput:
		return "HEAD " + showKey(aws.ToString(in.Key))
	case *s3.GetObjectInput:
		return "GET " + showKey(aws.ToString(in.Key))
	case *s3.PutObjectInput:
		return "PUT " + showKey(aws.ToString(in.Key))
	case *s3.DeleteObjectsInput:
		words := "DELETE"
		for _, o := range in.Delete.Objects {
			words += " " + showKey(aws.ToString(o.Key))
		}
		return words
	}
	return fmt.Sprintf("%T", input)
}

// forge is a Git server's client whose calls wait for their turns.
type forge struct {
	schedule *schedule
	client   *smarthttp.Client
}

func newForge(s *schedule, r *repository) *forge {
	return &forge{s, smarthttp.New(smarthttp.Options{
		Forge: gitlab.At(&url.URL{Scheme: "http", Host: "git.test"}), Username: "bot", Password: "token-of-the-bot", HTTP: &http.Client{Transport: r},
	})}
}

func (f *forge) EachRef(ctx context.Context, project string, wanted smarthttp.Wanted, visit func(smarthttp.Ref) error) error {
	return f.schedule.pass(ctx, "refs", func(outcome) error { return f.client.EachRef(ctx, project, wanted, visit) })
}

func (f *forge) Refs(ctx context.Context, project string, names ...string) (found map[string]string, err error) {
	err = f.schedule.pass(ctx, "refs", func(outcome) error {
		found, err = f.client.Refs(ctx, project, names...)
		return err
	})
	return found, err
}

func (f *forge) FetchPack(ctx context.Context, request smarthttp.FetchRequest) (pack *smarthttp.PackStream, err error) {
	err = f.schedule.pass(ctx, "fetch", func(outcome) error {
		pack, err = f.client.FetchPack(ctx, request)
		return err
	})
	return pack, err
}

func (f *forge) Known(ctx context.Context, project, tip string, commits ...string) (known []string, err error) {
	err = f.schedule.pass(ctx, "known", func(outcome) error {
		known, err = f.client.Known(ctx, project, tip, commits...)
		return err
	})
	return known, err
}

func (f *forge) Descends(ctx context.Context, project, commit, ancestor string) (descends bool, err error) {
	err = f.schedule.pass(ctx, "descends", func(outcome) error {
		descends, err = f.client.Descends(ctx, project, commit, ancestor)
		return err
	})
	return descends, err
}

func (f *forge) Push(ctx context.Context, request smarthttp.PushRequest) error {
	return f.schedule.pass(ctx, "push", func(outcome) error { return f.client.Push(ctx, request) })
}

func (f *forge) PushedTip(ctx context.Context, project, ref string) (tip string, err error) {
	err = f.schedule.pass(ctx, "tip for pushes", func(outcome) error {
		tip, err = f.client.PushedTip(ctx, project, ref)
		return err
	})
	return tip, err
}

// readBody reads all that a request sends.
func readBody(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer req.Body.Close()
	return io.ReadAll(req.Body)
}

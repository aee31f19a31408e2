package s3server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// The policy actions of the two sides. DeleteObjects needs s3:DeleteObject for
// each key; multipart uploads need s3:PutObject and the abort action.
var (
	readActions  = []string{"s3:ListBucket", "s3:GetObject"}
	writeActions = append([]string{"s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListBucketMultipartUploads"}, readActions...)
)

// ErrUserExists says that an access key is taken.
var ErrUserExists = errors.New("the access key is taken")

// Admin is the administrator of a versitygw, be it one of this package's or one in a container.
type Admin struct {
	Endpoint string // URL, without a trailing slash
	Region   string
	Root     Credentials
}

// CreateBucket creates an empty bucket that only root can use until Grant. When it exists, the error is
// *types.BucketAlreadyOwnedByYou.
func (a Admin) CreateBucket(ctx context.Context, name string) error {
	_, err := a.client().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name})
	return err
}

// AddUser creates a user without any permission. It fails with ErrUserExists when the access key is taken.
//
// The server's admin API (PATCH /create-user, not part of S3) is called directly because the versitygw command
// takes the new user's secret as an argument, where every local process can read it.
func (a Admin) AddUser(ctx context.Context, user Credentials) error {
	body, err := xml.Marshal(struct {
		XMLName              xml.Name `xml:"Account"`
		Access, Secret, Role string
	}{Access: user.AccessKey, Secret: user.SecretKey, Role: "user"})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, a.Endpoint+"/create-user", bytes.NewReader(body))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	root := aws.Credentials{AccessKeyID: a.Root.AccessKey, SecretAccessKey: a.Root.SecretKey}
	if err := v4.NewSigner().SignHTTP(ctx, root, req, hash, "s3", a.Region, time.Now()); err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusCreated:
		return nil
	case http.StatusConflict:
		return fmt.Errorf("add user %q: %w", user.AccessKey, ErrUserExists)
	default:
		return fmt.Errorf("add user %q: server answered %s", user.AccessKey, resp.Status)
	}
}

// Grant replaces the bucket's policy: the producer lists, reads, writes and
// deletes objects, the consumer only lists and reads. Both are access keys.
func (a Admin) Grant(ctx context.Context, bucket, producer, consumer string) error {
	type statement struct {
		Effect, Principal string
		Action, Resource  []string
	}
	arn := "arn:aws:s3:::" + bucket
	allow := func(accessKey string, actions []string) statement {
		return statement{"Allow", accessKey, actions, []string{arn, arn + "/*"}}
	}
	policy, err := json.Marshal(map[string]any{
		"Version":   "2012-10-17",
		"Statement": []statement{allow(producer, writeActions), allow(consumer, readActions)},
	})
	if err != nil {
		return err
	}
	_, err = a.client().PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{
		Bucket: &bucket,
		Policy: aws.String(string(policy)),
	})
	return err
}

// ClientConfig makes an AWS SDK configuration talk to this server as the given user.
func (a Admin) ClientConfig(user Credentials) func(*config.LoadOptions) error {
	return func(o *config.LoadOptions) error {
		o.BaseEndpoint = a.Endpoint
		o.Region = a.Region
		o.Credentials = staticCredentials(user)
		return nil
	}
}

// client does not load the default configuration, so that the caller's own AWS
// environment has no influence on the local server's administration.
func (a Admin) client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &a.Endpoint,
		Region:       a.Region,
		Credentials:  staticCredentials(a.Root),
		UsePathStyle: true,
	})
}

func staticCredentials(user Credentials) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(user.AccessKey, user.SecretKey, "")
}

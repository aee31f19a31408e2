package main

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
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// store is the administrator's view of a versitygw.
type store struct {
	endpoint, region string
	root             aws.Credentials
}

// What docs/format.md asks for. Each side has its own user.
var (
	readActions  = []string{"s3:ListBucket", "s3:GetObject"}
	writeActions = append([]string{"s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListBucketMultipartUploads"}, readActions...)
)

// fillStore creates the bucket and a user for each side.
func fillStore(ctx context.Context, env func(string) string) error {
	s := store{
		endpoint: env("AWS_ENDPOINT_URL_S3"),
		region:   env("AWS_REGION"),
		root:     aws.Credentials{AccessKeyID: env("AWS_ACCESS_KEY_ID"), SecretAccessKey: env("AWS_SECRET_ACCESS_KEY")},
	}
	if err := s.addUser(ctx, "producer", env("PRODUCER_SECRET_ACCESS_KEY")); err != nil {
		return err
	}
	if err := s.addUser(ctx, "consumer", env("CONSUMER_SECRET_ACCESS_KEY")); err != nil {
		return err
	}
	return s.addBucket(ctx, env("AWS_S3_BUCKET"))
}

// addUser calls the server's admin API, which is not part of S3: PATCH /create-user.
func (s store) addUser(ctx context.Context, name, secret string) error {
	body, err := xml.Marshal(struct { //nolint:gosec // the server is told the secret
		XMLName              xml.Name `xml:"Account"`
		Access, Secret, Role string
	}{Access: name, Secret: secret, Role: "user"})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, s.endpoint+"/create-user", bytes.NewReader(body))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	if err := v4.NewSigner().SignHTTP(ctx, s.root, req, hash, "s3", s.region, time.Now()); err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusConflict {
		return fmt.Errorf("add user %q: server answered %s", name, resp.Status)
	}
	return nil
}

func (s store) addBucket(ctx context.Context, name string) error {
	client := s3.New(s3.Options{
		BaseEndpoint: &s.endpoint,
		Region:       s.region,
		Credentials:  credentials.StaticCredentialsProvider{Value: s.root},
		UsePathStyle: true,
	})
	var owned *types.BucketAlreadyOwnedByYou
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil && !errors.As(err, &owned) {
		return err
	}
	policy, err := policy(name)
	if err != nil {
		return err
	}
	_, err = client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &name, Policy: &policy})
	return err
}

func policy(bucket string) (string, error) {
	type statement struct {
		Effect, Principal string
		Action, Resource  []string
	}
	arn := "arn:aws:s3:::" + bucket
	text, err := json.Marshal(map[string]any{
		"Version": "2012-10-17",
		"Statement": []statement{
			{"Allow", "producer", writeActions, []string{arn, arn + "/*"}},
			{"Allow", "consumer", readActions, []string{arn, arn + "/*"}},
		},
	})
	return string(text), err
}

package main

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/app-sre/git-partition-sync/internal/testserver/s3server"
)

// provisionBucket creates the bucket and a user for each side, unless they are there.
func provisionBucket(ctx context.Context, env func(string) string) error {
	admin := s3server.Admin{
		Endpoint: env("AWS_ENDPOINT_URL_S3"),
		Region:   env("AWS_REGION"),
		Root:     s3server.Credentials{AccessKey: env("AWS_ACCESS_KEY_ID"), SecretKey: env("AWS_SECRET_ACCESS_KEY")},
	}
	producer := s3server.Credentials{AccessKey: "producer", SecretKey: env("PRODUCER_SECRET_ACCESS_KEY")}
	consumer := s3server.Credentials{AccessKey: "consumer", SecretKey: env("CONSUMER_SECRET_ACCESS_KEY")}
	for _, user := range []s3server.Credentials{producer, consumer} {
		if err := admin.AddUser(ctx, user); err != nil && !errors.Is(err, s3server.ErrUserExists) {
			return err
		}
	}
	bucket := env("AWS_S3_BUCKET")
	var owned *types.BucketAlreadyOwnedByYou
	if err := admin.CreateBucket(ctx, bucket); err != nil && !errors.As(err, &owned) {
		return err
	}
	return admin.Grant(ctx, bucket, producer.AccessKey, consumer.AccessKey)
}

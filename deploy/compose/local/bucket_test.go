package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/testserver/s3server"
	"github.com/app-sre/git-partition-sync/internal/testserver/s3server/s3test"
)

func TestStoreIsFilledAndStays(t *testing.T) {
	server := s3test.Start(t)
	env := map[string]string{
		"AWS_ENDPOINT_URL_S3": server.URL(), "AWS_REGION": s3server.Region, "AWS_S3_BUCKET": "another",
		"AWS_ACCESS_KEY_ID": server.Root.AccessKey, "AWS_SECRET_ACCESS_KEY": server.Root.SecretKey,
		"PRODUCER_SECRET_ACCESS_KEY": server.Producer.SecretKey, "CONSUMER_SECRET_ACCESS_KEY": server.Consumer.SecretKey,
	}
	for range 2 {
		require.NoError(t, provisionBucket(t.Context(), func(name string) string { return env[name] }))
	}
	for _, user := range []s3server.Credentials{server.Producer, server.Consumer} {
		store, err := bucket.Open(t.Context(), bucket.Options{Name: "another", PathStyle: true}, server.ClientConfig(user))
		require.NoError(t, err)
		_, err = store.Stat(t.Context(), "absent")
		require.ErrorIs(t, err, bucket.ErrNotFound, "%s may look", user.AccessKey)
	}
	env["AWS_SECRET_ACCESS_KEY"] = "another"
	require.Error(t, provisionBucket(t.Context(), func(name string) string { return env[name] }))
}

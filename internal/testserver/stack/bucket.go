package stack

import (
	"bytes"
	"context"
	"crypto/rand"
	"path/filepath"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/testserver/s3server"
)

// BucketName is the bucket between the two sides.
const BucketName = "partition"

func (s *Stack) startS3(ctx context.Context) error {
	log, err := s.openLog("s3")
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	s.S3, err = s3server.Start(ctx, s3server.Options{Binary: s.Binaries.VersityGW, Dir: filepath.Join(s.options.Dir, "s3"), Log: log})
	if err != nil {
		return s.withLog("s3", err)
	}
	s.started("S3 server", s.S3.URL(), func() error { s.S3.Stop(); return nil })
	if err := s.createBucket(ctx); err != nil {
		return s.withLog("s3", err)
	}
	return nil
}

// createBucket gives the producer all access to the bucket, and lets the consumer read it.
func (s *Stack) createBucket(ctx context.Context) error {
	if err := s.S3.CreateBucket(ctx, BucketName); err != nil {
		return err
	}
	s.users = map[Role]s3server.Credentials{}
	for _, role := range Roles {
		s.users[role] = s3server.Credentials{AccessKey: string(role), SecretKey: rand.Text()}
		if err := s.S3.AddUser(ctx, s.users[role]); err != nil {
			return err
		}
	}
	return s.S3.Grant(ctx, BucketName, string(Producer), string(Consumer))
}

// Bucket opens the bucket with a side's credentials.
func (s *Stack) Bucket(ctx context.Context, role Role) (*bucket.Bucket, error) {
	return bucket.Open(ctx, bucket.Options{Name: BucketName, PathStyle: true}, s.S3.ClientConfig(s.users[role]))
}

// Catalog reads the producer's catalog as the consumer does.
func (s *Stack) Catalog(ctx context.Context) (c catalog.Catalog, err error) {
	b, err := s.Bucket(ctx, Consumer)
	if err != nil {
		return c, err
	}
	object, _, err := b.GetIfChanged(ctx, catalog.Key, "", catalog.MaxSize)
	if err != nil {
		return c, err
	}
	verifier, err := sign.ParseVerifier(s.verifyKey)
	if err != nil {
		return c, err
	}
	return catalog.Read(bytes.NewReader(object), []age.Identity{s.Identity}, verifier, archive.AnyEnvironment())
}

// ObjectFile is where the S3 server keeps an object: as a plain file.
func (s *Stack) ObjectFile(key string) string {
	return filepath.Join(s.options.Dir, "s3", "data", BucketName, filepath.FromSlash(key))
}

package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// assets is the project whose large file is in Git LFS.
const assets = "design/assets"

// createAssets commits the pointer of a file of 8 MiB, whose content the LFS server gets, as git-lfs does it.
func createAssets(ctx context.Context, s *stack.Stack) (lfs.Object, error) {
	content := make([]byte, 8<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(content) // never fails
	texture, err := s.Source.LFS().Add(assets, content)
	if err != nil {
		return lfs.Object{}, err
	}
	_, err = s.Source.Commit(ctx, assets, "main", map[string]string{
		".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
		"texture.bin":    gitserver.Pointer(texture),
	}, "a texture")
	return texture, err
}

// verifyAssets fails if the destination has the pointer alone.
func verifyAssets(s *stack.Stack, texture lfs.Object) error {
	if !s.Destination.LFS().Has("enclave/"+assets, texture.OID) {
		return fmt.Errorf("%s is in sync without its LFS object %s", assets, texture.OID)
	}
	return nil
}

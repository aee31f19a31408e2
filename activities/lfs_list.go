package activities

import (
	"errors"
	"fmt"
	"io"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// stageLFSList writes the list of the LFS objects that an object's bundle needs to a file of the run, if it needs any.
func stageLFSList(run staging.Run, i int, opened *archive.Reader) (lfs.List, error) {
	list, err := opened.LFS()
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list, stageText(run, numbered(lfsFile, i), list.Encode())
}

// stagedLFSLists reads which LFS objects the bundles need, each once.
func stagedLFSLists(run staging.Run, bundles []archive.Bundle) (lfs.List, error) {
	var lists []lfs.List
	for i, b := range bundles {
		if !b.HasLFS() {
			continue
		}
		list, err := stagedLFSList(run, numbered(lfsFile, i), b)
		if err != nil {
			return nil, err
		}
		lists = append(lists, list)
	}
	return lfs.Union(lists...), nil
}

func stagedLFSList(run staging.Run, name string, b archive.Bundle) (lfs.List, error) {
	file, err := run.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, lfs.MaxListSize))
	if err != nil {
		return nil, err
	}
	var got archive.Bundle
	if got.BindLFS(text); got.LFSSHA256 != b.LFSSHA256 {
		return nil, fmt.Errorf("%w: the SHA-256 of %s is %s, the manifest says %s", ErrAltered, name, got.LFSSHA256, b.LFSSHA256)
	}
	return lfs.ParseList(text)
}

// requireLFSPushed refuses bundles whose lists nobody has looked at. The run starts over: see requireLFSList.
func requireLFSPushed(run staging.Run, bundles []archive.Bundle) error {
	for i := range bundles {
		switch err := run.Has(numbered(lfsFile, i)); {
		case errors.Is(err, staging.ErrMissing):
		case err != nil:
			return err
		default:
			return asOlderWorkflow(fmt.Errorf("%w: what was done with %s", staging.ErrMissing, numbered(lfsFile, i)))
		}
	}
	return nil
}

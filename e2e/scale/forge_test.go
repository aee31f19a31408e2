package scale_test

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/requests"
)

// forge is a Git server in memory that has refs, and no objects.
type forge struct {
	requests.Counter
	mu   sync.Mutex
	refs map[string]map[string]string // by project and name
}

func newForge() *forge {
	return &forge{Counter: requests.NewCounter(), refs: map[string]map[string]string{}}
}

// set replaces refs of a project.
func (f *forge) set(project string, refs map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refs[project] = refs
}

func (f *forge) EachRef(_ context.Context, project string, wanted smarthttp.Wanted, visit func(smarthttp.Ref) error) error {
	f.Count("refs")
	f.mu.Lock()
	refs := f.refs[project]
	f.mu.Unlock()
	for _, name := range wanted.Names {
		if object, ok := refs[name]; ok {
			if err := visit(smarthttp.Ref{Name: name, Object: object}); err != nil {
				return err
			}
		}
	}
	for name, object := range refs {
		for _, prefix := range wanted.Prefixes {
			if strings.HasPrefix(name, prefix) {
				if err := visit(smarthttp.Ref{Name: name, Object: object}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (f *forge) Refs(ctx context.Context, project string, names ...string) (map[string]string, error) {
	found := map[string]string{}
	err := f.EachRef(ctx, project, smarthttp.Wanted{Names: names}, func(r smarthttp.Ref) error {
		found[r.Name] = r.Object
		return nil
	})
	return found, err
}

var errMadeUp = errors.New("a made-up repository has no objects")

func (f *forge) FetchPack(context.Context, smarthttp.FetchRequest) (*smarthttp.PackStream, error) {
	return nil, errMadeUp
}

func (f *forge) Known(context.Context, string, string, ...string) ([]string, error) {
	return nil, errMadeUp
}

func (f *forge) Descends(context.Context, string, string, string) (bool, error) {
	return false, errMadeUp
}

func (f *forge) PushedTip(context.Context, string, string) (string, error) { return "", errMadeUp }

func (f *forge) Push(context.Context, smarthttp.PushRequest) error { return errMadeUp }

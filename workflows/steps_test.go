package workflows_test

import (
	"context"
	"reflect"
	"slices"
	"sync"

	"github.com/stretchr/testify/mock"
	common "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

type (
	activityInfo  = activity.Info
	encodedValues = converter.EncodedValues
)

// fakeSteps counts how often each step of a child ran, and fails those it was told to fail.
type fakeSteps struct {
	mu      sync.Mutex
	ran     map[string]int
	cleaned bool
	// healAfter is the run of a failing step from which on it succeeds; 0 is never.
	healAfter int
}

// steps replaces a child's activities, on both sides. What they move has LFS objects.
func steps(env *testsuite.TestWorkflowEnvironment, failures map[string]error) *fakeSteps {
	s := &fakeSteps{ran: map[string]int{}}
	step := func(name string) func() error {
		return func() error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.ran[name]++
			if s.healAfter > 0 && s.ran[name] >= s.healAfter {
				return nil
			}
			return failures[name]
		}
	}
	staged := activities.Staged{Host: "host", Run: "run"}
	on(env, producer.Clone, activities.Cloned{Staged: staged, LFS: true}, step("Clone"))
	on(env, producer.FindLFS, activities.FoundLFS{Objects: 2}, step("FindLFS"))
	on(env, producer.UploadLFS, activities.UploadedLFS{}, step("UploadLFS"))
	on(env, producer.Package, activities.Packaged{}, step("Package"))
	on(env, producer.Encrypt, activities.Encrypted{}, step("Encrypt"))
	on(env, producer.Upload, activities.Uploaded{Summary: "snapshot"}, step("Upload"))
	on(env, consumer.Download, activities.Downloaded{Staged: staged, Objects: []object.Stored{stored()}}, step("Download"))
	on(env, consumer.Decrypt, activities.Decrypted{LFSObjects: 2}, step("Decrypt"))
	on(env, consumer.PushLFS, activities.PushedLFS{}, step("PushLFS"))
	on(env, consumer.Push, activities.Pushed{Summary: "pushed"}, step("Push"))
	env.OnActivity(eitherSide.Cleanup, mock.Anything, staged).Return(func(context.Context, activities.Staged) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.cleaned = true
		s.ran["Cleanup"]++
		return failures["Cleanup"]
	}).Maybe()
	return s
}

// on replaces a step, whatever it is given.
func on(env *testsuite.TestWorkflowEnvironment, step, result any, run func() error) {
	kind := reflect.TypeOf(step)
	replacement := reflect.MakeFunc(kind, func([]reflect.Value) []reflect.Value {
		err := run()
		return []reflect.Value{reflect.ValueOf(result), reflect.ValueOf(&err).Elem()}
	})
	env.OnActivity(step, slices.Repeat([]any{mock.Anything}, kind.NumIn())...).Return(replacement.Interface()).Maybe()
}

func fromPayloads(payloads *common.Payloads, into any) error {
	return converter.GetDefaultDataConverter().FromPayloads(payloads, into)
}

// produceProject and consumeProject run a child under the ID that it has to have.
func produceProject(env *testsuite.TestWorkflowEnvironment, u plan.Upload) {
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: contract.Producer.ChildID(u.Sync.Destination), TaskQueue: testQueue})
	env.ExecuteWorkflow(workflows.ProduceProject, u)
}

func consumeProject(env *testsuite.TestWorkflowEnvironment, p plan.Push) {
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: contract.Consumer.ChildID(p.Destination), TaskQueue: testQueue})
	env.ExecuteWorkflow(workflows.ConsumeProject, p)
}

// testQueue is the task queue of workflows in a test's environment.
const testQueue = "default-test-taskqueue"

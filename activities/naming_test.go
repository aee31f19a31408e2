package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/retries"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// Whatever an error wraps, and whether or not it has a name: what Temporal is told has no secret.
func TestLastNet(t *testing.T) {
	t.Parallel()
	mask := foreign.NewMask(workerSecret)
	told := errors.New("told\x00 " + workerSecret)
	for name, err := range map[string]error{
		"named":       fmt.Errorf("%w: %w", smarthttp.ErrNotFound, told),
		"refused":     fmt.Errorf("push: %w", &smarthttp.RefusedError{Refused: []smarthttp.RefRefusal{{Ref: workerSecret, Reason: "x"}}, Messages: []string{workerSecret}}),
		"not named":   fmt.Errorf("read: %w", &url.Error{Op: "Get", URL: "https://" + workerSecret + "/", Err: told}),
		"joined":      errors.Join(told, told),
		"canceled":    fmt.Errorf("%w: %w", told, context.Canceled),
		"application": fmt.Errorf("push: %w", temporal.NewNonRetryableApplicationError("told "+workerSecret, "Kind", told)),
		"long":        errors.New(strings.Repeat("long ", 10_000) + workerSecret),
	} {
		converted := Named(err, mask)
		for failure := temporal.GetDefaultFailureConverter().ErrorToFailure(converted); failure != nil; failure = failure.GetCause() {
			require.NotContains(t, failure.String(), workerSecret, name)
			require.NotContains(t, failure.GetMessage(), "\x00", name)
			require.LessOrEqual(t, len(failure.GetMessage()), 3*maxErrorText, name)
		}
		require.Contains(t, converted.Error(), "***", name)
		require.Equal(t, errors.Is(err, context.Canceled), errors.Is(converted, context.Canceled), name)
	}
}

// What a panic says passes the same net, on its way into history and into the log.
func TestPanicsAreMasked(t *testing.T) {
	t.Parallel()
	var suite testsuite.WorkflowTestSuite
	var logged bytes.Buffer
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.NewTextHandler(&logged, nil))))
	env := newActivitiesIn(&suite)
	panicking := func(context.Context) error {
		panic(fmt.Errorf("%w: with %s", smarthttp.ErrNotFound, workerSecret))
	}
	env.RegisterActivityWithOptions(panicking, activity.RegisterOptions{Name: "panicking"})
	_, err := env.ExecuteActivity("panicking")
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	require.Equal(t, "Panic", failure.Type(), "and not what the cause would be called")
	require.False(t, failure.NonRetryable())
	require.Contains(t, failure.Message(), "the activity panicked: ")
	require.Contains(t, failure.Message(), "with ***\n")
	require.NotContains(t, temporal.GetDefaultFailureConverter().ErrorToFailure(err).String(), workerSecret)
	require.Contains(t, logged.String(), "TestPanicsAreMasked", "the stack")
	require.NotContains(t, logged.String(), workerSecret)
}

func TestNamedErrorsKeepWhatTemporalActsOn(t *testing.T) {
	t.Parallel()
	var failure *temporal.ApplicationError
	require.ErrorAs(t, Named(fmt.Errorf("clone: %w", smarthttp.ErrNotFound), nil), &failure)
	require.Equal(t, "ProjectNotFound", failure.Type())
	require.True(t, failure.NonRetryable())

	require.ErrorAs(t, Named(errors.New("connection reset"), nil), &failure)
	require.Equal(t, kindOther, failure.Type())
	require.False(t, failure.NonRetryable())

	limited := &smarthttp.StatusError{Status: httpclient.Status{Code: 429, RetryDelay: 7 * time.Second}}
	require.ErrorAs(t, Named(fmt.Errorf("clone: %w", limited), nil), &failure)
	require.Equal(t, "RateLimited", failure.Type())
	require.False(t, failure.NonRetryable())
	require.Equal(t, 7*time.Second, failure.NextRetryDelay())
	limited.RetryDelay = 24 * time.Hour
	require.ErrorAs(t, Named(limited, nil), &failure)
	require.Equal(t, 10*time.Minute, failure.NextRetryDelay(), "the next cycle has come by then")

	for class, err := range map[retries.Class]error{
		retries.Passing: smarthttp.ErrServerFailed, retries.Busy: httpclient.ErrRateLimited, retries.Race: ErrTipDiffers, retries.Full: staging.ErrDiskFull,
	} {
		budget := class.Budget()
		for attempt := 1; attempt <= budget.Attempts; attempt++ {
			require.ErrorAs(t, NamedAt(err, attempt, nil), &failure)
			pause, more := budget.Next(attempt)
			require.Equal(t, !more, failure.NonRetryable(), "%s, attempt %d", class, attempt)
			require.LessOrEqual(t, failure.NextRetryDelay(), pause)
			require.GreaterOrEqual(t, failure.NextRetryDelay(), pause*3/4)
		}
	}
	require.ErrorAs(t, NamedAt(errors.New("connection reset"), retries.Passing.Budget().Attempts, nil), &failure)
	require.True(t, failure.NonRetryable())

	// As net/http returns the cause of a context that the SDK has cancelled.
	require.ErrorIs(t, Named(fmt.Errorf("push: %w", temporal.NewCanceledError()), nil), context.Canceled)

	already := temporal.NewApplicationErrorWithOptions("later", "Kind", temporal.ApplicationErrorOptions{NonRetryable: true, NextRetryDelay: time.Minute})
	require.ErrorAs(t, Named(already, nil), &failure)
	require.Equal(t, "Kind", failure.Type())
	require.True(t, failure.NonRetryable())
	require.Equal(t, time.Minute, failure.NextRetryDelay())
	require.NoError(t, Named(nil, nil))

	long := Named(fmt.Errorf("%w: %s", smarthttp.ErrNotFound, strings.Repeat("long ", 10_000)), nil)
	require.ErrorContains(t, long, "repository not found")
	require.ErrorContains(t, long, "Create the project", "what to do is not cut off")
}

// counting has activities count what they count in a map.
type counting struct {
	interceptor.WorkerInterceptorBase
	counts map[string]int
}

func (c *counting) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &countingInbound{interceptor.ActivityInboundInterceptorBase{Next: next}, c}
}

type countingInbound struct {
	interceptor.ActivityInboundInterceptorBase
	*counting
}

func (c *countingInbound) Init(out interceptor.ActivityOutboundInterceptor) error {
	return c.Next.Init(&countingOutbound{interceptor.ActivityOutboundInterceptorBase{Next: out}, c.counting})
}

type countingOutbound struct {
	interceptor.ActivityOutboundInterceptorBase
	*counting
}

func (c *countingOutbound) GetMetricsHandler(context.Context) client.MetricsHandler {
	return countedMetrics{client.MetricsNopHandler, c.counts}
}

type countedMetrics struct {
	client.MetricsHandler
	counts map[string]int
}

func (c countedMetrics) WithTags(map[string]string) client.MetricsHandler { return c }

func (c countedMetrics) Counter(name string) client.MetricsCounter { return counter{c.counts, name} }

type counter struct {
	counts map[string]int
	name   string
}

func (c counter) Inc(n int64) { c.counts[c.name] += int(n) }

// A short step that fails is tried as a task: where a fleet's workflow is on another worker than its files, nothing is wrong.
func TestFailuresOfTasksAreCounted(t *testing.T) {
	t.Parallel()
	c := &counting{counts: map[string]int{}}
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{c, &ErrorNaming{Mask: foreign.NewMask()}}})
	step := func(context.Context) error { return staging.ErrMissing }
	env.RegisterActivityWithOptions(step, activity.RegisterOptions{Name: "step"})

	_, err := env.ExecuteLocalActivity(step)
	require.ErrorContains(t, err, KindStagedFileMissing)
	require.Zero(t, c.counts[metricFailures])
	_, err = env.ExecuteActivity("step")
	require.ErrorContains(t, err, KindStagedFileMissing)
	require.Equal(t, 1, c.counts[metricFailures])
}

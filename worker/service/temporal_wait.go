package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

const (
	// reachTimeout is how long one try to reach Temporal may take.
	reachTimeout = 10 * time.Second
	// The pauses between two tries grow from firstPause to lastPause.
	firstPause = time.Second
	lastPause  = 30 * time.Second
	// sayWaitEvery is how often it is logged that the worker still waits for the same reason.
	sayWaitEvery = 10 * time.Minute
	// watchEvery is how often a running worker looks whether Temporal is there, for its log.
	watchEvery = 15 * time.Second
)

// temporalWait is how a worker waits for its Temporal: for ever, as whatever starts it would start it again anyway, and longer and longer
// until the next try.
type temporalWait struct {
	options client.Options
	log     *slog.Logger
	// waits is told why there is no connection yet.
	waits func(reason error)
	// pause is the first pause; it is a test's to shorten.
	pause time.Duration
}

// connect returns a client of a Temporal that is there and has the namespace; nil when ctx is done before.
func (w temporalWait) connect(ctx context.Context) client.Client {
	said, saidAt := "", time.Time{}
	for pause := cmp.Or(w.pause, firstPause); ; pause = min(2*pause, lastPause) {
		temporal, err := w.reach(ctx)
		if err == nil {
			if said != "" {
				w.log.Info("Temporal is there", "address", w.address())
			}
			return temporal
		}
		if ctx.Err() != nil {
			return nil
		}
		w.waits(err)
		if err.Error() != said || time.Since(saidAt) >= sayWaitEvery {
			said, saidAt = err.Error(), time.Now()
			w.log.Warn("Waiting for Temporal: "+said, "address", w.address())
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

func (w temporalWait) address() string { return cmp.Or(w.options.HostPort, client.DefaultHostPort) }

// reach tries once. Its errors are in words.
func (w temporalWait) reach(ctx context.Context) (client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	temporal, err := client.DialContext(ctx, w.options)
	if err == nil {
		if err = hasNamespace(ctx, temporal, cmp.Or(w.options.Namespace, client.DefaultNamespace)); err == nil {
			return temporal, nil
		}
		temporal.Close()
	}
	return nil, fmt.Errorf("temporal at %s: %w; trying again", w.address(), contract.InWords(contract.ServerError(err)))
}

// hasNamespace fails if the namespace does not exist, or the credentials are not those of anybody who may work there. The SDK's workers look
// for it, too, and end without it.
func hasNamespace(ctx context.Context, temporal client.Client, namespace string) error {
	_, err := temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	if _, simple := errors.AsType[*serviceerror.Unimplemented](err); simple { // such as a test's, or a proxy: the SDK does without, too
		return nil
	}
	_, unknown := errors.AsType[*serviceerror.NotFound](err)
	_, unknownNamespace := errors.AsType[*serviceerror.NamespaceNotFound](err)
	if unknown || unknownNamespace {
		return serviceerror.NewNamespaceNotFound(namespace)
	}
	return err
}

// watchTemporal logs when Temporal is not there any more, and when it is again, until ctx is done. The SDK waits for it by itself.
func watchTemporal(ctx context.Context, check func(context.Context) error, logger *slog.Logger, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var gone time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		bounded, cancel := context.WithTimeout(ctx, temporalTimeout)
		err := check(bounded)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && gone.IsZero():
			gone = time.Now()
			logger.Warn("Temporal is not there: what runs waits for it", "error", contract.InWords(contract.ServerError(err)))
		case err == nil && !gone.IsZero():
			logger.Info("Temporal is there again", "away_seconds", time.Since(gone).Round(time.Second).Seconds())
			gone = time.Time{}
		}
	}
}

package service

import (
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// cycleMetrics are what git-partition-sync-producer and -consumer, which this software replaces, tell of their cycles, for the
// dashboards and alerts that are built on that. There is nothing of them before the first cycle has ended.
type cycleMetrics struct {
	ended           *prometheus.CounterVec // ours
	succeeded       *prometheus.CounterVec
	status, seconds *prometheus.GaugeVec
	labels          prometheus.Labels

	mu   sync.Mutex
	last workflow.Execution // that was recorded
}

func newCycleMetrics(role, shard string, registry prometheus.Registerer) *cycleMetrics {
	names := []string{"shard_id", "integration"}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, names)
	}
	m := &cycleMetrics{
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricPrefix + "cycles_total", Help: "Complete cycles that ended on this worker, by whether anything failed in them.",
			ConstLabels: prometheus.Labels{"role": role},
		}, []string{"result"}),
		succeeded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "qontract_reconcile_execution_counter_total", Help: "Cycles that ended on this worker in which nothing failed.",
		}, names),
		status:  gauge("qontract_reconcile_last_run_status", "How the last cycle ended on this worker: 0 without a failure, 1 with one."),
		seconds: gauge("qontract_reconcile_last_run_seconds", "How long the last cycle took that ended on this worker."),
		labels:  prometheus.Labels{"shard_id": shard, "integration": "git-partition-sync-" + role},
	}
	m.ended.WithLabelValues(resultOK) // so that the first increase is seen
	m.ended.WithLabelValues(resultFailed)
	registry.MustRegister(m.ended, m.succeeded, m.status, m.seconds)
	return m
}

// Results of cycles.
const (
	resultOK     = "ok"
	resultFailed = "failed"
)

// record takes in the end of a run, once: a worker whose answer did not reach Temporal is given the same task again.
func (m *cycleMetrics) record(run workflow.Execution, took time.Duration, failed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if run == m.last {
		return
	}
	m.last = run
	status, result := 0.0, resultOK
	if failed {
		status, result = 1, resultFailed
	} else {
		m.succeeded.With(m.labels).Inc()
	}
	m.ended.WithLabelValues(result).Inc()
	m.status.With(m.labels).Set(status)
	m.seconds.With(m.labels).Set(took.Seconds())
}

// cycleRecorder records each cycle once, on the worker where it ends: neither when its history is replayed, nor when it continues as
// a new run, nor when it only plans, nor when it is about some destinations only.
type cycleRecorder struct {
	interceptor.WorkerInterceptorBase
	metrics *cycleMetrics
}

// InterceptWorkflow implements [interceptor.WorkerInterceptor].
func (r *cycleRecorder) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &recordedWorkflow{interceptor.WorkflowInboundInterceptorBase{Next: next}, r.metrics}
}

type recordedWorkflow struct {
	interceptor.WorkflowInboundInterceptorBase
	metrics *cycleMetrics
}

// ExecuteWorkflow does not record in a deferred call: those are made, too, when a worker only puts a workflow out of its memory.
func (w *recordedWorkflow) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	began := workflow.Now(ctx)
	result, err := w.Next.ExecuteWorkflow(ctx, in)
	var continues *workflow.ContinueAsNewError
	if len(in.Args) == 0 || workflow.IsReplaying(ctx) || errors.As(err, &continues) {
		return result, err
	}
	if cycle, ok := in.Args[0].(contract.CycleInput); ok && !cycle.DryRun && len(cycle.Only) == 0 {
		report, _ := result.(contract.Report)
		failed := err != nil || report.Count() > 0 // a cycle that has nothing new to tell ends well
		w.metrics.record(workflow.GetInfo(ctx).WorkflowExecution, workflow.Now(ctx).Sub(cycle.Began(began)), failed)
	}
	return result, err
}

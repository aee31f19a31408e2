package faults_test

import (
	"net/http"
	"time"

	"github.com/app-sre/git-partition-sync/internal/testserver/faultproxy"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// twoParts is more than one part of an upload has.
const twoParts = 36 << 20

// partCells are about uploads in parts, of which nothing may be left.
func partCells() (cells []cell) {
	for _, upload := range []struct {
		step, repo string
		of         request
	}{
		{"producer's Upload in parts", quiet, func(r *http.Request) bool { return !isLFS(r) }},
		{"producer's UploadLFS in parts", large, isLFS},
	} {
		secondPart := upload.of.withQuery("partNumber", "2")
		completion := request(func(r *http.Request) bool { return r.Method == http.MethodPost && upload.of(r) }).withQuery("uploadId", "")
		for _, kind := range []struct {
			fault string
			begin func(*trial) (await func())
		}{
			{"SIGKILL between parts", func(r *trial) func() {
				killed := r.before(producerToBucket, secondPart, func(*http.Request) { r.kill(stack.Producer) })
				return func() {
					r.await(killed)
					r.startWorker(r, stack.Producer)
				}
			}},
			{"a part fails for a while", func(r *trial) func() {
				fails := r.on(producerToBucket, faultproxy.Fault{Of: secondPart, Answer: storeError(http.StatusInternalServerError, "InternalError")})
				return func() {
					r.await(fails.Struck())
					time.Sleep(lieTime)
				}
			}},
			{"answers are lost", func(r *trial) func() {
				lost := r.on(producerToBucket, faultproxy.Fault{Of: completion, Times: 5, Alter: faultproxy.LoseAnswer})
				return func() { r.until(func() bool { return lost.Hits() >= 3 }) }
			}},
		} {
			cells = append(cells, cell{
				table: "buckets", step: upload.step, fault: kind.fault, patience: 5 * time.Minute, setup: setup{parts: true},
				strike: func(r *trial) {
					await := kind.begin(r)
					r.commitBy(r, upload.repo, "main", twoParts)
					await()
				},
			})
		}
	}
	return cells
}

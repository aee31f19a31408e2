package faults_test

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"time"

	"github.com/app-sre/git-partition-sync/internal/testserver/faultproxy"
)

// timeInListing is an object's time in an answer of the store.
var timeInListing = regexp.MustCompile(`<LastModified>[^<]*</LastModified>`)

// bucketClockCells show all times of the store an hour off for a while.
func bucketClockCells() (cells []cell) {
	for _, clock := range []struct {
		fault string
		ahead time.Duration
	}{{"clock ahead by an hour", time.Hour}, {"clock behind by an hour", -time.Hour}} {
		cells = append(cells, cell{
			table: hosts, step: "bucket", fault: clock.fault,
			patience: 2 * defaultPatience, // each chain is replaced, and may be overtaken by that once
			strike: func(r *trial) {
				shift := faultproxy.Fault{Alter: func(response *http.Response) error { return shiftTimes(response, clock.ahead) }}
				producer, consumer := r.on(producerToBucket, shift), r.on(consumerToBucket, shift)
				r.change(r)
				r.awaitHits(producer, 20)
				r.awaitHits(consumer, 20)
				time.Sleep(wrongFor)
				r.change(r)
				time.Sleep(wrongFor)
			},
		})
	}
	return cells
}

// shiftTimes leaves refusals as they are: the SDK would sign with their time, and the store goes by its own.
func shiftTimes(response *http.Response, ahead time.Duration) error {
	if response.StatusCode >= http.StatusBadRequest {
		return nil
	}
	for _, name := range []string{"Date", "Last-Modified"} {
		if at, err := http.ParseTime(response.Header.Get(name)); err == nil {
			response.Header.Set(name, at.Add(ahead).UTC().Format(http.TimeFormat))
		}
	}
	if !response.Request.URL.Query().Has("list-type") {
		return nil
	}
	listing, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	listing = timeInListing.ReplaceAllFunc(listing, func(element []byte) []byte {
		text := bytes.TrimSuffix(bytes.TrimPrefix(element, []byte("<LastModified>")), []byte("</LastModified>"))
		at, err := time.Parse(time.RFC3339Nano, string(text))
		if err != nil {
			return element
		}
		return []byte("<LastModified>" + at.Add(ahead).UTC().Format(time.RFC3339Nano) + "</LastModified>")
	})
	response.Body = io.NopCloser(bytes.NewReader(listing))
	response.ContentLength = int64(len(listing))
	response.Header.Del("Content-Length")
	return nil
}

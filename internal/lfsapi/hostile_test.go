package lfsapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
)

const mediaType = "application/vnd.git-lfs+json"

// newFake is a client of a server of which anything can be expected.
func newFake(t *testing.T, handler http.HandlerFunc) *lfsapi.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return newClient(t, server.URL, lfsapi.Options{Limits: lfsapi.Limits{Pause: 1}})
}

// answering is a client of a server that answers every batch with a text.
func answering(t *testing.T, status int, contentType, text string) *lfsapi.Client {
	t.Helper()
	return newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	})
}

// batchOf is an answer with these objects, in JSON.
func batchOf(objects ...string) string {
	return `{"transfer":"basic","objects":[` + strings.Join(objects, ",") + `]}`
}

// withActions is an object in an answer.
func withActions(o lfs.Object, actions map[string]any) string {
	text, err := json.Marshal(map[string]any{"oid": o.OID, "size": o.Size, "actions": actions})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestStatusesOfBatches(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{
		201: lfsapi.ErrRejected, 204: lfsapi.ErrRejected, 400: lfsapi.ErrRejected, 401: lfsapi.ErrUnauthorized, 403: lfsapi.ErrForbidden,
		404: lfsapi.ErrDisabled, 405: lfsapi.ErrDisabled, 406: lfsapi.ErrRejected, 408: lfsapi.ErrUnavailable, 410: lfsapi.ErrDisabled,
		413: lfsapi.ErrTooLarge, 422: lfsapi.ErrRejected, 429: lfsapi.ErrBusy, 500: lfsapi.ErrServerFailed, 501: lfsapi.ErrDisabled,
		502: lfsapi.ErrUnavailable, 503: lfsapi.ErrUnavailable, 504: lfsapi.ErrUnavailable, 507: lfsapi.ErrFull, 509: lfsapi.ErrFull,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			client := answering(t, status, mediaType, `{"message":"the \u001b[31mreason","request_id":"x"}`)
			_, err := client.Batch(t.Context(), repo, lfsapi.Upload, []lfs.Object{objectOf(nil)})
			require.ErrorIs(t, err, want)
			require.ErrorContains(t, err, "/group/sub/n%C3%A4me.git about LFS objects: ")
			if status != http.StatusNoContent {
				require.ErrorContains(t, err, fmt.Sprintf("(http status %d): the reason", status))
			}
			enabled, err := client.Enabled(t.Context(), repo)
			require.False(t, enabled)
			if want == lfsapi.ErrDisabled {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, want)
		})
	}
}

// A server that has no room says so in words.
func TestQuota(t *testing.T) {
	t.Parallel()
	for text, status := range map[string]int{
		"This repository is over its data quota.":                                                            403, // GitHub
		"Your push has been rejected, because this repository has exceeded its size limit of 5 GB by 12 MB.": 406, // GitLab
		"quota exceeded": 413, // Forgejo
	} {
		for name, answer := range map[string]struct {
			status int
			text   string
		}{
			"batch":  {status, fmt.Sprintf(`{"message":%q}`, text)},
			"object": {200, batchOf(fmt.Sprintf(`{"oid":%q,"size":1,"error":{"code":%d,"message":%q}}`, objectOf([]byte("x")).OID, status, text))},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				transfers, err := answering(t, answer.status, mediaType, answer.text).Batch(t.Context(), repo, lfsapi.Upload, []lfs.Object{objectOf([]byte("x"))})
				if err == nil {
					err = transfers[0].Err()
				}
				require.ErrorIs(t, err, lfsapi.ErrFull)
				require.ErrorContains(t, err, text)
			})
		}
	}
}

func TestErrorsOfObjects(t *testing.T) {
	t.Parallel()
	o := objectOf([]byte("x"))
	for _, test := range []struct {
		code     int
		down, up error
	}{
		{0, lfsapi.ErrRejected, lfsapi.ErrRejected}, {-1, lfsapi.ErrRejected, lfsapi.ErrRejected},
		{200, lfsapi.ErrRejected, lfsapi.ErrRejected}, {1 << 40, lfsapi.ErrRejected, lfsapi.ErrRejected},
		{401, lfsapi.ErrUnauthorized, lfsapi.ErrUnauthorized}, {403, lfsapi.ErrForbidden, lfsapi.ErrForbidden},
		{404, lfsapi.ErrMissing, lfsapi.ErrRejected}, {410, lfsapi.ErrMissing, lfsapi.ErrRejected},
		{409, lfsapi.ErrRejected, lfsapi.ErrRejected}, {413, lfsapi.ErrTooLarge, lfsapi.ErrTooLarge},
		{422, lfsapi.ErrRejected, lfsapi.ErrRejected}, {429, lfsapi.ErrBusy, lfsapi.ErrBusy},
		{500, lfsapi.ErrServerFailed, lfsapi.ErrServerFailed}, {503, lfsapi.ErrUnavailable, lfsapi.ErrUnavailable},
		{507, lfsapi.ErrFull, lfsapi.ErrFull},
	} {
		client := answering(t, 200, mediaType, batchOf(fmt.Sprintf(`{"oid":%q,"size":1,"error":{"code":%d,"message":"why"},"actions":{"download":{"href":"https://x"}}}`, o.OID, test.code)))
		for op, want := range map[lfsapi.Operation]error{lfsapi.Download: test.down, lfsapi.Upload: test.up} {
			transfer := ask(t, client, op, o)
			require.ErrorIs(t, transfer.Err(), want, "%d", test.code)
			require.ErrorContains(t, transfer.Err(), ": why")
			require.False(t, transfer.Needed())
		}
	}
}

// What is not exactly an answer to the question is no answer, and says nothing of LFS at the server either.
func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	empty := lfs.Object{OID: objectOf(nil).OID} // that Enabled asks about
	one := fmt.Sprintf(`{"oid":%q,"size":0}`, empty.OID)
	another := fmt.Sprintf(`{"oid":%q,"size":0}`, objectOf([]byte("x")).OID)
	for name, test := range map[string]struct{ contentType, text, want string }{
		"web page":           {"text/html; charset=utf-8", "<html>Sign in", `its content type is "text/html; charset=utf-8"`},
		"no type":            {"", batchOf(one), `its content type is ""`},
		"web page as JSON":   {mediaType, "<html>Sign in", "invalid character"},
		"nothing":            {mediaType, "", "unexpected end of JSON"},
		"null":               {mediaType, "null", "0 objects for 1"},
		"a list":             {mediaType, "[]", "cannot unmarshal array"},
		"no objects":         {mediaType, `{}`, "0 objects for 1"},
		"null objects":       {mediaType, `{"objects":null}`, "0 objects for 1"},
		"null object":        {mediaType, `{"objects":[null]}`, "0 objects for 1"},
		"null and another":   {mediaType, `{"objects":[null,` + one + `]}`, "2 objects for 1"},
		"too few":            {mediaType, batchOf(), "0 objects for 1"},
		"too many":           {mediaType, batchOf(one, another), "2 objects for 1"},
		"repeated":           {mediaType, batchOf(one, one), "2 objects for 1"},
		"another":            {mediaType, batchOf(another), "says nothing of the object " + empty.OID},
		"in upper case":      {mediaType, batchOf(strings.Replace(one, empty.OID, strings.ToUpper(empty.OID), 1)), "says nothing of"},
		"other transfer":     {mediaType, `{"transfer":"tus","objects":[` + one + `]}`, `transfers of the kind "tus"`},
		"other hash":         {mediaType, `{"hash_algo":"sha512","objects":[` + one + `]}`, `by "sha512"`},
		"size that is none":  {mediaType, batchOf(strings.Replace(one, ":0", `:1e99`, 1)), "cannot unmarshal number"},
		"header that's none": {mediaType, batchOf(strings.Replace(one, "}", `,"actions":{"download":{"href":"x","header":{"a":7}}}}`, 1)), "cannot unmarshal number"},
		"endless":            {mediaType, `{"objects":[` + strings.Repeat(one+",", 5<<20/len(one)), "exceeds 4194304 bytes"},
		"deep":               {mediaType, `{"objects":` + strings.Repeat("[", 20_000), "exceeded max depth"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := answering(t, 200, test.contentType, test.text)
			_, err := client.Batch(t.Context(), repo, lfsapi.Upload, []lfs.Object{empty})
			require.ErrorIs(t, err, lfsapi.ErrNotLFS)
			require.ErrorContains(t, err, test.want)
			require.Equal(t, foreign.Line(err.Error(), 1000), err.Error())
			enabled, err := client.Enabled(t.Context(), repo)
			require.ErrorIs(t, err, lfsapi.ErrNotLFS)
			require.False(t, enabled)
		})
	}
}

// An answer has as many objects as a server likes, and only those that were asked for are kept.
func TestObjectsInPlenty(t *testing.T) { // not parallel: it counts what is allocated
	client := answering(t, 200, mediaType, `{"objects":[`+strings.Repeat("{},", 1_300_000)+`{}]}`)
	_, err := client.Batch(t.Context(), repo, lfsapi.Upload, []lfs.Object{objectOf(nil)})
	require.ErrorIs(t, err, lfsapi.ErrNotLFS)
	require.Less(t, allocated(func() {
		_, err = client.Batch(t.Context(), repo, lfsapi.Upload, []lfs.Object{objectOf(nil), objectOf([]byte("x"))})
	}), uint64(40<<20), "the text is 4 MB, and the server's too")
	require.ErrorContains(t, err, "it has 101 objects for 2")

	a, b := objectOf([]byte("a")), objectOf([]byte("b"))
	client = answering(t, 200, mediaType, `{"objects":[null,`+withActions(b, nil)+`]}`)
	_, err = client.Batch(t.Context(), repo, lfsapi.Upload, []lfs.Object{a, b})
	require.ErrorContains(t, err, "says nothing of the object "+a.OID)
}

// Two answers about one object cannot hide that another has none.
func TestRepeatedObjectForAnother(t *testing.T) {
	t.Parallel()
	a, b := objectOf([]byte("a")), objectOf([]byte("b"))
	client := answering(t, 200, "application/json", batchOf(withActions(a, nil), withActions(a, nil)))
	_, err := client.Batch(t.Context(), repo, lfsapi.Upload, []lfs.Object{a, b})
	require.ErrorIs(t, err, lfsapi.ErrNotLFS)
	require.ErrorContains(t, err, "says nothing of the object "+b.OID)

	client = answering(t, 200, "application/json", batchOf(withActions(b, nil), withActions(a, nil)))
	transfers, err := client.Batch(t.Context(), repo, lfsapi.Upload, []lfs.Object{a, b})
	require.NoError(t, err)
	require.Equal(t, []lfs.Object{a, b}, []lfs.Object{transfers[0].Object, transfers[1].Object})
}

func TestSizesInAnswers(t *testing.T) {
	t.Parallel()
	o := objectOf([]byte("content"))
	for size, want := range map[string]error{"7": nil, "null": nil, "0": lfsapi.ErrMismatch, "8": lfsapi.ErrMismatch, "-7": lfsapi.ErrMismatch} {
		client := answering(t, 200, mediaType, batchOf(fmt.Sprintf(`{"oid":%q,"size":%s}`, o.OID, size)))
		up := ask(t, client, lfsapi.Upload, o)
		require.ErrorIs(t, up.Err(), want, size)
		require.False(t, up.Needed())
		down := ask(t, client, lfsapi.Download, o)
		if want == nil {
			require.ErrorIs(t, down.Err(), lfsapi.ErrMissing, "without a link")
			continue
		}
		require.ErrorIs(t, down.Err(), want)
	}
}

// A request about what no pointer can name is not sent.
func TestObjectsThatAreNone(t *testing.T) {
	t.Parallel()
	client := newFake(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
	for _, o := range []lfs.Object{{}, {OID: "../../etc", Size: 1}, {OID: objectOf(nil).OID, Size: -1}} {
		_, err := client.Batch(t.Context(), repo, lfsapi.Download, []lfs.Object{o})
		require.Error(t, err)
	}
	_, err := client.Batch(t.Context(), "group/../x", lfsapi.Download, []lfs.Object{objectOf(nil)})
	require.ErrorContains(t, err, "invalid repository path")
}

package faults_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/testserver/faultproxy"
)

// erring is a kind of request that is answered with an error for a while.
type erring struct {
	step   string
	link   link
	is     asks
	errors map[string]http.HandlerFunc
	// change moves the sources so that there is such a request; nil is (*world).change.
	change func(*trial)
}

// answersFor is how long a server answers with errors, from the first one on.
const answersFor = 5 * time.Second

// answerCells have each kind of request answered as a server does that has a problem.
func answerCells() (cells []cell) {
	for _, a := range slices.Concat(gitAnswers(), lfsAnswers(), bucketAnswers()) {
		for _, fault := range slices.Sorted(maps.Keys(a.errors)) {
			cells = append(cells, cell{
				table: "answers", step: a.step, fault: fault, patience: 7 * time.Minute,
				fast: a.step == "refs of the source" && fault == "503",
				strike: func(r *trial) {
					active := r.on(a.link, faultproxy.Fault{Of: a.is, Answer: a.errors[fault]})
					if a.change != nil {
						a.change(r)
					} else {
						r.change(r)
					}
					r.await(active.Struck())
					time.Sleep(answersFor)
				},
			})
		}
	}
	return cells
}

func gitAnswers() []erring {
	return []erring{
		{"refs of the source", toSource, looks, gitErrors, nil},
		{"pack of the source", toSource, asksForPack, gitErrors, nil},
		{"list of syncs", toGraphQL, ends(http.MethodPost, graphQLPath), graphQLErrors, nil},
		{"refs of the destination", toDestination, looks, gitErrors, nil},
		{"refs before a push", toDestination, discovers("git-receive-pack"), gitErrors, nil},
		{"push", toDestination, pushes, with(gitErrors, "413", tooLarge), nil},
	}
}

func lfsAnswers() []erring {
	return []erring{
		{"LFS batch at the source", toSource, asksLFS, lfsErrors, nil},
		{"LFS download", toSource, lfsObject(http.MethodGet), lfsErrors, nil},
		{"LFS batch at the destination", toDestination, asksLFS, lfsErrors, nil},
		{"LFS upload", toDestination, lfsObject(http.MethodPut), with(lfsErrors, "413", tooLarge), nil},
		{"LFS verification", toDestination, verifies, lfsErrors, nil},
	}
}

// partsSize makes an object that is uploaded in parts.
const partsSize = 33 << 20

func bucketAnswers() []erring {
	ofParts := func(r *trial) { r.commitBy(r, quiet, "main", partsSize) }
	// A history that begins anew takes the place of what the bucket has.
	rewritten := func(r *trial) {
		r.rewind(r, quiet, "main")
		r.rewind(r, quiet, "main")
	}
	put := with(bucketErrors("NoSuchBucket"), "413", tooLarge)
	put["502"] = gitErrors["502"]
	return []erring{
		{"producer's listing", producerToBucket, lists, with(bucketErrors("NoSuchBucket"), "502", gitErrors["502"]), nil},
		{"producer's HEAD", producerToBucket, stored(http.MethodHead, ""), bucketErrors("NoSuchKey"), nil},
		{"PUT", producerToBucket, stored(http.MethodPut, ""), put, nil},
		{"start of an upload in parts", producerToBucket, stored(http.MethodPost, "uploads"), bucketErrors("NoSuchBucket"), ofParts},
		{"PUT of a part", producerToBucket, stored(http.MethodPut, "partNumber"), with(bucketErrors("NoSuchUpload"), "413", tooLarge), ofParts},
		{"end of an upload in parts", producerToBucket, stored(http.MethodPost, "uploadId"), bucketErrors("NoSuchUpload"), ofParts},
		{"deletion", producerToBucket, deletes, bucketErrors("NoSuchBucket"), rewritten},
		{"GET of the catalog by the producer", producerToBucket, catalogued(http.MethodGet), bucketErrors("NoSuchKey"), nil},
		{"PUT of the catalog", producerToBucket, catalogued(http.MethodPut), put, nil},
		{"consumer's listing", consumerToBucket, lists, bucketErrors("NoSuchBucket"), nil},
		{"consumer's HEAD", consumerToBucket, stored(http.MethodHead, ""), bucketErrors("NoSuchKey"), nil},
		{"GET", consumerToBucket, stored(http.MethodGet, ""), with(bucketErrors("NoSuchKey"), "502", gitErrors["502"]), nil},
		{"GET of the catalog by the consumer", consumerToBucket, catalogued(http.MethodGet), bucketErrors("NoSuchKey"), nil},
	}
}

// The answers of GitLab, and of the nginx before it.
var (
	gitErrors = map[string]http.HandlerFunc{
		"401": answer(http.StatusUnauthorized, "text/plain", "HTTP Basic: Access denied. If a password was provided for Git authentication, the password was incorrect or you're required to use a token instead of a password.", "WWW-Authenticate", `Basic realm="GitLab"`),
		"403": answer(http.StatusForbidden, "text/plain", "You are not allowed to access this project."),
		"404": answer(http.StatusNotFound, "text/plain", "The project you were looking for could not be found or you don't have permission to view it."),
		"429": answer(http.StatusTooManyRequests, "text/plain", "Retry later\n", "Retry-After", "3"),
		"500": answer(http.StatusInternalServerError, "text/html; charset=utf-8", page("Something went wrong (500)")),
		"502": answer(http.StatusBadGateway, "text/html", page("502 Bad Gateway")),
		"503": answer(http.StatusServiceUnavailable, "text/plain", "The git server, Gitaly, is not available at this time. Please contact your administrator."),
	}
	lfsErrors = map[string]http.HandlerFunc{
		"401": answer(http.StatusUnauthorized, lfsType, `{"message":"HTTP Basic: Access denied"}`, "LFS-Authenticate", `Basic realm="GitLab"`),
		"403": answer(http.StatusForbidden, lfsType, `{"message":"Access forbidden. Check your access level.","documentation_url":"https://gitlab.example.com/help"}`),
		"404": answer(http.StatusNotFound, lfsType, `{"message":"Not found.","documentation_url":"https://gitlab.example.com/help"}`),
		"429": gitErrors["429"], "500": gitErrors["500"], "503": gitErrors["503"],
	}
	graphQLErrors = with(gitErrors, "401", answer(http.StatusUnauthorized, "text/html", page("401 Authorization Required"), "WWW-Authenticate", `Basic realm="graphql"`))
	tooLarge      = answer(http.StatusRequestEntityTooLarge, "text/html", page("413 Request Entity Too Large"))
)

const lfsType = "application/vnd.git-lfs+json; charset=utf-8"

// bucketErrors are those of S3, and of stores that count requests. What 404 means depends on the request.
func bucketErrors(notFound string) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"403": storeError(http.StatusForbidden, "AccessDenied"),
		"404": storeError(http.StatusNotFound, notFound),
		"429": storeError(http.StatusTooManyRequests, "TooManyRequests", "Retry-After", "3"),
		"500": storeError(http.StatusInternalServerError, "InternalError"),
		"503": storeError(http.StatusServiceUnavailable, "SlowDown"),
	}
}

// storeError is how an object store refuses.
func storeError(status int, code string, header ...string) http.HandlerFunc {
	return answer(status, "application/xml", `<?xml version="1.0" encoding="UTF-8"?><Error><Code>`+code+`</Code><Message>made by the test</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>`, header...)
}

// answer is one with those names and values in its header.
func answer(status int, contentType, body string, header ...string) http.HandlerFunc {
	h := http.Header{"Content-Type": {contentType}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return faultproxy.Status(status, h, body)
}

func page(title string) string {
	return "<html>\n<head><title>" + title + "</title></head>\n<body><center><h1>" + title + "</h1></center><hr></body>\n</html>\n" + strings.Repeat("<!-- padding -->\n", 6)
}

func with(errors map[string]http.HandlerFunc, name string, answer http.HandlerFunc) map[string]http.HandlerFunc {
	all := maps.Clone(errors)
	all[name] = answer
	return all
}

package gitserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/lfs"
)

const lfsMediaType = "application/vnd.git-lfs+json"

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// serve answers a request of a client that has shown its credentials.
func (l *LFS) serve(w http.ResponseWriter, r *http.Request, repo, rest string) {
	oid, isObject := strings.CutPrefix(rest, "objects/")
	switch now := l.now(); {
	case !exists(l.server.Dir(repo)) || now.Disabled:
		lfsError(w, http.StatusNotFound, "Not found.")
	case rest == "objects/batch" && r.Method == http.MethodPost:
		l.count(func(c *LFSCounts) { c.Batches++ })
		if !l.fails(w, func(s *LFSSwitches) *int { return &s.BatchStatus }) {
			l.batch(w, r, repo)
		}
	case rest == "verify" && r.Method == http.MethodPost:
		if !l.fails(w, func(s *LFSSwitches) *int { return &s.VerifyStatus }) {
			l.verify(w, r, repo)
		}
	case isObject && r.Method == http.MethodGet && now.Redirect:
		http.Redirect(w, r, l.signed(repo, oid, now.ExpiresIn), http.StatusFound)
	case isObject:
		l.transfer(w, r, repo, oid)
	default: // locks
		lfsError(w, http.StatusNotFound, "Not found.")
	}
}

// fails answers with a status that was switched on.
func (l *LFS) fails(w http.ResponseWriter, status func(*LFSSwitches) *int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	code := status(&l.switches)
	if *code == 0 {
		return false
	}
	if l.switches.RetryAfter != "" {
		w.Header().Set("Retry-After", l.switches.RetryAfter)
	}
	lfsError(w, *code, http.StatusText(*code))
	if l.switches.Failures--; l.switches.Failures == 0 {
		*code = 0
	}
	return true
}

func lfsError(w http.ResponseWriter, status int, text string) {
	lfsAnswer(w, status, map[string]any{"message": text})
}

func lfsAnswer(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", lfsMediaType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

func (l *LFS) batch(w http.ResponseWriter, r *http.Request, repo string) {
	var asked struct {
		Operation string
		Objects   []lfs.Object
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		lfsError(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	answers := make([]map[string]any, 0, len(asked.Objects))
	for _, o := range asked.Objects {
		answers = append(answers, l.answer(r, repo, asked.Operation, o))
	}
	lfsAnswer(w, http.StatusOK, map[string]any{"transfer": "basic", "objects": answers, "hash_algo": "sha256"})
}

func (l *LFS) answer(r *http.Request, repo, operation string, o lfs.Object) map[string]any {
	answer := map[string]any{"oid": o.OID, "size": o.Size}
	refuse := func(code int, text string) map[string]any {
		answer["error"] = map[string]any{"code": code, "message": text}
		return answer
	}
	if err := o.Validate(); err != nil {
		return refuse(http.StatusUnprocessableEntity, err.Error())
	}
	info, err := os.Stat(l.Path(repo, o.OID))
	switch there := err == nil; {
	case operation == "download" && !there:
		return refuse(http.StatusNotFound, "Object does not exist")
	case there && info.Size() != o.Size && !l.now().EchoSizes:
		return refuse(http.StatusUnprocessableEntity, fmt.Sprintf("Object has %d bytes", info.Size()))
	case operation == "upload" && there:
		return answer
	}
	answer["actions"] = l.actions(r, repo, operation, o)
	return answer
}

// actions are links to the Git server, which take its credentials, or signed ones to the store.
func (l *LFS) actions(r *http.Request, repo, operation string, o lfs.Object) map[string]any {
	now := l.now()
	link := func(href string) map[string]any {
		action := map[string]any{"href": href}
		if now.ExpiresIn != 0 {
			action["expires_in"] = int(now.ExpiresIn / time.Second)
			action["expires_at"] = time.Now().Add(now.ExpiresIn).UTC().Format(time.RFC3339)
		}
		return action
	}
	if now.Store {
		return map[string]any{operation: link(l.signed(repo, o.OID, now.ExpiresIn))}
	}
	base := "http://" + r.Host + "/" + repo + ".git/info/lfs/"
	actions := map[string]any{operation: link(base + "objects/" + o.OID)}
	if operation == "upload" {
		actions["verify"] = link(base + "verify")
	}
	return actions
}

func (l *LFS) verify(w http.ResponseWriter, r *http.Request, repo string) {
	var o lfs.Object
	err := json.NewDecoder(r.Body).Decode(&o)
	if err != nil || o.Validate() != nil {
		lfsError(w, http.StatusUnprocessableEntity, "no object")
		return
	}
	info, err := os.Stat(l.Path(repo, o.OID))
	if err != nil || info.Size() != o.Size {
		lfsError(w, http.StatusNotFound, "Object does not exist")
		return
	}
	l.count(func(c *LFSCounts) { c.Verified++ })
	w.WriteHeader(http.StatusOK)
}

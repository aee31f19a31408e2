package faults_test

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/app-sre/git-partition-sync/internal/testserver/faultproxy"
)

// afterRefusal is enough for what a refused push is followed by: a pause of five minutes, as no plan sees that it is allowed again.
const afterRefusal = 8 * time.Minute

// destinationCells are about what the destination's server does, and what others do there.
func destinationCells() []cell {
	return slices.Concat(pushCells(), refusalCells(), projectCells())
}

// pushCells have something happen between the moment at which a destination was read and the push.
func pushCells() (cells []cell) {
	for _, of := range []struct{ step, repo, branch string }{
		{"Push of a branch", quiet, "main"}, {"Push with LFS", large, "main"}, {"Push of a set", refs, "next"},
	} {
		for _, kind := range []struct {
			fault string
			do    func(*trial)
		}{
			{"someone else moves the branch", func(r *trial) { r.intrude(r, of.repo, of.branch) }},
			{"someone deletes the branch", func(r *trial) { r.deleteBranch(r.Destination.Server, "mirror/"+of.repo, of.branch) }},
			{"someone deletes the replay guard", func(r *trial) { r.forgetOurs(of.repo) }},
			{"the project is made anew", func(r *trial) { r.createAnew(of.repo) }},
		} {
			cells = append(cells, cell{
				table: "destinations", step: of.step, fault: kind.fault, patience: 5 * time.Minute,
				strike: func(r *trial) {
					struck := r.before(toDestination, isPush(of.repo), func(*http.Request) { kind.do(r) })
					r.change(r)
					r.await(struck)
					r.until(func() bool { return strings.Contains(r.ours(of.repo), "/applied/") })
				},
			})
		}
		cells = append(cells, cell{
			table: "destinations", step: of.step, fault: "answers are lost", patience: 5 * time.Minute,
			strike: func(r *trial) {
				lost := r.on(toDestination, faultproxy.Fault{Of: isPush(of.repo), Times: 3, Alter: faultproxy.LoseAnswer})
				r.change(r)
				r.await(lost.Struck())
				time.Sleep(5 * time.Second) // for more of them, if there are any
			},
		}, cell{
			table: "destinations", step: of.step, fault: "the pack is cut off", patience: 5 * time.Minute,
			strike: func(r *trial) {
				cut := r.on(toDestination, faultproxy.Fault{Of: isPush(of.repo), Times: 2, Before: cutHalfway})
				r.change(r)
				r.until(func() bool { return cut.Hits() == 2 })
			},
		})
	}
	return cells
}

// refusalCells have a destination refuse for a while.
func refusalCells() (cells []cell) {
	for _, hook := range []struct{ step, repo, name, fault, words string }{
		{"Push of a branch", quiet, "pre-receive", "a hook refuses for a while", "no, says the hook"},
		{"Push of a set", refs, "update", "a hook refuses for a while", "GitLab: You are not allowed to push code to protected branches on this project."},
		{"Push of a branch", quiet, "pre-receive", "the disk is full for a while", "fatal: write error: No space left on device"},
	} {
		cells = append(cells, cell{
			table: "destinations", step: hook.step, fault: hook.fault, patience: afterRefusal,
			strike: func(r *trial) {
				hasRefused := r.refuseByHook(hook.repo, hook.name, hook.words)
				r.change(r)
				r.until(hasRefused)
				time.Sleep(5 * time.Second)
			},
		})
	}
	cells = append(cells, cell{
		table: "destinations", step: "Push of a set", fault: "only fast-forwards for a while", patience: afterRefusal,
		strike: func(r *trial) {
			r.git(r.Destination.Server, "mirror/"+refs, "config", "receive.denyNonFastForwards", "true")
			r.later(func() {
				r.git(r.Destination.Server, "mirror/"+refs, "config", "--unset", "receive.denyNonFastForwards")
			})
			refused := r.on(toDestination, faultproxy.Fault{Of: isPush(refs)})
			r.change(r)
			r.until(func() bool { return refused.Hits() >= 2 })
			time.Sleep(5 * time.Second)
		},
	})
	for _, down := range []struct {
		fault  string
		of     request
		answer http.HandlerFunc
	}{
		{"read-only for a while", isOfPushes, faultproxy.Status(http.StatusForbidden, nil, "You can't push code to a read-only GitLab instance.")},
		{"archived for a while", isOfPushes, faultproxy.Status(http.StatusMethodNotAllowed, nil, "")},
		{"maintenance for a while", nil, faultproxy.Status(http.StatusServiceUnavailable, http.Header{"Retry-After": {"5"}}, "GitLab is not responding")},
	} {
		cells = append(cells, cell{
			table: "destinations", step: "all pushes", fault: down.fault, patience: 5 * time.Minute,
			strike: func(r *trial) {
				refused := r.on(toDestination, faultproxy.Fault{Of: down.of, Answer: down.answer})
				r.change(r)
				time.Sleep(lieTime)
				assert.Positive(r, refused.Hits())
			},
		})
	}
	return cells
}

// projectCells rename a destination's project for a while, and put a backup back.
func projectCells() (cells []cell) {
	cells = append(cells, cell{
		table: "destinations", step: "Push of a branch", fault: "the project is renamed for a while",
		strike: func(r *trial) {
			const renamed = "mirror/quiet/renamed"
			path := r.Destination.Dir("mirror/" + quiet)
			moved := r.on(toDestination, faultproxy.Fault{
				Of: func(req *http.Request) bool { return strings.HasPrefix(req.URL.Path, "/mirror/"+quiet+".git/") },
				Answer: func(w http.ResponseWriter, req *http.Request) {
					to := strings.Replace(req.URL.RequestURI(), "/mirror/"+quiet+".git/", "/"+renamed+".git/", 1)
					http.Redirect(w, req, r.links[toDestination].URL()+to, http.StatusMovedPermanently)
				},
			})
			assert.NoError(r, os.Rename(path, r.Destination.Dir(renamed)))
			r.later(func() { assert.NoError(r, os.Rename(r.Destination.Dir(renamed), path)) })
			r.change(r)
			time.Sleep(lieTime)
			assert.Positive(r, moved.Hits())
		},
	})
	for _, of := range []struct{ step, repo string }{{"Push of a branch", quiet}, {"Push with LFS", large}, {"Push of a set", refs}} {
		cells = append(cells, cell{
			table: "destinations", step: of.step, fault: "a backup is put back", patience: 5 * time.Minute,
			strike: func(r *trial) {
				backup := r.copyOf(r.Destination.Server, "mirror/"+of.repo)
				r.change(r)
				r.untilSynced(of.repo)
				r.restore(r.Destination.Server, "mirror/"+of.repo, backup)
			},
		})
	}
	return cells
}

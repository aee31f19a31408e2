package faults_test

import (
	"net/http"
	"os"
	"time"

	"github.com/stretchr/testify/assert"
)

// sourceCells are about what happens at a source.
func sourceCells() (cells []cell) {
	for _, of := range []struct{ step, repo, branch string }{{"Clone of a branch", quiet, "main"}, {"Clone of a set", refs, "next"}} {
		for _, kind := range []struct {
			fault  string
			strike func(*trial)
		}{
			{"the branch is deleted for a while", func(r *trial) {
				r.change(r)
				tip := r.tip(of.repo, of.branch)
				r.deleteBranch(r.Source.Server, of.repo, of.branch)
				time.Sleep(lieTime)
				r.move(of.repo, of.branch, tip)
			}},
			{"the branch goes to and fro during a clone", func(r *trial) {
				before := r.tip(of.repo, of.branch)
				struck := r.before(toSource, isFetch(of.repo), func(*http.Request) { r.move(of.repo, of.branch, before) })
				r.change(r)
				tip := r.tip(of.repo, of.branch)
				r.await(struck)
				r.move(of.repo, of.branch, tip)
			}},
			{"the branch goes to and fro for a while", func(r *trial) {
				before := r.tip(of.repo, of.branch)
				r.change(r)
				tip := r.tip(of.repo, of.branch)
				for range 4 {
					time.Sleep(3 * time.Second)
					r.move(of.repo, of.branch, before)
					time.Sleep(2 * time.Second)
					r.move(of.repo, of.branch, tip)
				}
			}},
			{"the project is gone for a while", func(r *trial) {
				r.change(r)
				path := r.Source.Dir(of.repo)
				assert.NoError(r, os.Rename(path, path+".gone"))
				time.Sleep(lieTime)
				assert.NoError(r, os.Rename(path+".gone", path))
			}},
			{"a backup is put back", func(r *trial) {
				backup := r.copyOf(r.Source.Server, of.repo)
				r.change(r)
				r.untilSynced(of.repo)
				r.restore(r.Source.Server, of.repo, backup)
				r.noteTips(of.repo)
			}},
		} {
			cells = append(cells, cell{table: "sources", step: of.step, fault: kind.fault, patience: 5 * time.Minute, strike: kind.strike})
		}
	}
	return cells
}

// tip is where a source's branch is.
func (r *trial) tip(repo, branch string) string {
	r.Helper()
	return r.git(r.Source.Server, repo, "rev-parse", "refs/heads/"+branch)
}

// move has a source's branch be somewhere else.
func (r *trial) move(repo, branch, to string) {
	r.Helper()
	r.git(r.Source.Server, repo, "update-ref", "refs/heads/"+branch, to)
}

// noteTips adds where a source's branches are to what they ever were, as no reflog says it.
func (r *trial) noteTips(repo string) {
	r.Helper()
	for _, branch := range repositories[repo] {
		log, tip := reflog(r.Source.Server, repo, branch), r.tip(repo, branch)
		r.others.Lock()
		r.others.forgotten[log] = append(r.others.forgotten[log], tip[:10])
		r.others.Unlock()
	}
}

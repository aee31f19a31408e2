package e2e_test

import (
	"crypto/rand"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
	"github.com/app-sre/git-partition-sync/internal/testserver/rusage"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

var oneByOne = flag.Int("updates", 500, "how many updates BenchmarkSync makes one by one")

// Sizes of the repositories that are measured, in bytes of incompressible content.
const (
	smallRepository = 3_000_000
	largeRepository = 300_000_000
)

// BenchmarkSync measures what crosses from a source to its destination, and what that costs.
func BenchmarkSync(b *testing.B) {
	rusage.Need(b)
	if stack.Race {
		b.Skip("the race detector's workers are not what is released")
	}
	for _, size := range []int64{smallRepository, largeRepository} {
		b.Run(fmt.Sprintf("%dMB", size/1_000_000), func(b *testing.B) {
			repo := fmt.Sprintf("bench/%d", size)
			s := begin(b)
			generate(s, repo, size)
			b.Run("snapshot", func(b *testing.B) { measureSync(b, s, repo, 1, 0) })
			b.Run("1-commit", func(b *testing.B) { measureSync(b, s, repo, 1, 1) })
			b.Run("50-commits", func(b *testing.B) { measureSync(b, s, repo, 1, 50) })
			if size == largeRepository {
				b.Run("one-by-one", func(b *testing.B) { measureSync(b, s, repo, *oneByOne, 1) })
			}
		})
	}
}

// traffic is what some updates of one branch have cost.
type traffic struct {
	produced, consumed time.Duration
	uploaded           int64 // bytes of the objects
	needed             int64 // bytes of the packs from each commit to the next that was synced
	overhead           int64 // most bytes of an object beyond the pack in it
	objects            int   // most objects that restored the branch
}

// measureSync makes updates of some commits each, or syncs from scratch when there are none.
func measureSync(b *testing.B, s sides, repo string, updates, commits int) {
	s.TB = b
	restartWorkers(s)
	used, disk := map[stack.Role]time.Duration{}, map[stack.Role]func() int64{}
	var sum traffic
	for b.Loop() {
		if commits == 0 {
			emptyBucket(s)
			require.NoError(b, os.RemoveAll(s.Destination.Dir("mirror/"+repo)))
			create(b, s.Destination, "mirror/"+repo)
		} else {
			syncOnce(s) // finds nothing to do: connections are made, as in any cycle but a worker's first
		}
		for _, role := range stack.Roles {
			used[role] -= rusage.CPU(s, s.Workers[role].PID())
			disk[role] = rusage.WatchDisk(s, s.WorkDir(role))
		}
		for range updates {
			sum.add(s, repo, commits)
		}
		for _, role := range stack.Roles {
			used[role] += rusage.CPU(s, s.Workers[role].PID())
			b.ReportMetric(float64(disk[role]())/1e6, string(role)+"-disk-MB")
		}
	}
	sum.report(b)
	for _, role := range stack.Roles {
		b.ReportMetric(used[role].Seconds()/float64(b.N), string(role)+"-cpu-s")
		b.ReportMetric(float64(rusage.PeakMemory(s, s.Workers[role].PID()))/1e6, string(role)+"-peak-MB")
	}
}

// add syncs one update.
func (s *traffic) add(b sides, repo string, commits int) {
	previous := head(b, repo)
	for range commits {
		_, err := b.Source.Commit(b.Context(), repo, "main", map[string]string{"changed": randomText(4000)}, "update")
		require.NoError(b, err)
	}
	produced, consumed := syncOnce(b)
	s.produced += produced
	s.consumed += consumed

	bucket, err := b.Bucket(b.Context(), stack.Consumer)
	require.NoError(b, err)
	c := chainsOf(b, bucket)[branch("mirror/"+repo+"@main")]
	newest := c.Newest()
	require.Equal(b, head(b, repo), newest.Commit)
	if commits == 0 {
		previous = ""
	}
	s.uploaded += newest.Size
	s.needed += packSize(b, repo, newest.Commit, previous)
	s.overhead = max(s.overhead, newest.Size-packSize(b, repo, newest.Commit, newest.Base))
	s.objects = max(s.objects, len(c.Objects))
}

func (s *traffic) report(b *testing.B) {
	n := float64(b.N)
	b.ReportMetric(0, "ns/op") // includes the making of commits and what is measured
	b.ReportMetric((s.produced+s.consumed).Seconds()/n, "s")
	b.ReportMetric(s.produced.Seconds()/n, "producer-s")
	b.ReportMetric(s.consumed.Seconds()/n, "consumer-s")
	b.ReportMetric(float64(s.uploaded)/n, "uploaded-B")
	b.ReportMetric(float64(s.needed)/n, "packs-B")
	b.ReportMetric(float64(s.overhead), "overhead-B")
	b.ReportMetric(float64(s.objects), "objects")
}

func head(b sides, repo string) string {
	b.Helper()
	commit, err := b.Source.Git(b.Context(), repo, "rev-parse", "refs/heads/main")
	require.NoError(b, err)
	return commit
}

// randomText compresses to about three quarters.
func randomText(size int) string {
	content := make([]byte, size*3/4)
	_, _ = rand.Read(content) // never fails
	return base64.StdEncoding.EncodeToString(content)
}

// BenchmarkCloneAndTar measures the plain way: clone, tar and encrypt all of the repository, whatever
// has changed. It is the producer's half of the work.
func BenchmarkCloneAndTar(b *testing.B) {
	const repo = "bench/plain"
	server, err := gitserver.Start(b.TempDir(), gitserver.Credentials{User: "bot", Password: "password"})
	require.NoError(b, err)
	defer func() { require.NoError(b, server.Close()) }()
	require.NoError(b, server.Create(b.Context(), repo))
	_, err = server.Generate(b.Context(), repo, "main", longHistory(largeRepository))
	require.NoError(b, err)
	url := strings.Replace(server.URL(), "://", "://bot:password@", 1) + "/" + repo + ".git"

	var sum usage
	for b.Loop() {
		dir := b.TempDir()
		begin := time.Now()
		sum.run(b, dir, "git", "clone", "--quiet", "--bare", "--single-branch", "--branch=main", url, "clone")
		sum.run(b, dir, "tar", "czf", "clone.tar.gz", "clone")
		sum.encrypt(b, filepath.Join(dir, "clone.tar.gz"))
		sum.wall += time.Since(begin)
	}
	n := float64(b.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(sum.wall.Seconds()/n, "producer-s")
	b.ReportMetric(sum.cpu.Seconds()/n, "producer-cpu-s")
	b.ReportMetric(float64(sum.peak)/1e6, "producer-peak-MB")
	b.ReportMetric(float64(sum.encrypted)/n, "uploaded-B")
}

// usage is what the processes of the plain way have used.
type usage struct {
	wall, cpu time.Duration
	peak      int64 // bytes of the largest process
	encrypted int64 // bytes
}

func (u *usage) run(b *testing.B, dir, name string, args ...string) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull}
	out, err := cmd.CombinedOutput()
	require.NoError(b, err, string(out))
	u.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	// Of the largest among the process and its children (getrusage(2), in KiB on Linux).
	u.peak = max(u.peak, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss<<10)
}

// encrypt streams, unlike some of those who do this.
func (u *usage) encrypt(b *testing.B, file string) {
	b.Helper()
	in, err := os.Open(file)
	require.NoError(b, err)
	defer func() { _ = in.Close() }()
	out, err := os.Create(file + ".age")
	require.NoError(b, err)
	identity, err := age.GenerateX25519Identity()
	require.NoError(b, err)
	before := rusage.OwnCPU(b)
	w, err := crypt.Encrypt(out, []age.Recipient{identity.Recipient()})
	require.NoError(b, err)
	_, err = io.Copy(w, in)
	require.NoError(b, err)
	require.NoError(b, w.Close())
	u.cpu += rusage.OwnCPU(b) - before
	info, err := out.Stat()
	require.NoError(b, err)
	u.encrypted += info.Size()
	require.NoError(b, out.Close())
}

package performance_test

import (
	"fmt"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// conventional measures both halves of the conventional way, of one sync after the other, whatever has changed in them.
func (w *world) conventional() map[stack.Role]figures {
	w.Helper()
	producer, consumer := w.newTools(stack.Producer), w.newTools(stack.Consumer)
	return map[stack.Role]figures{
		stack.Producer: w.measure(producer, producer.dir, plainBucket, func() {
			for i, s := range w.syncs {
				producer.send(s, objectName(i))
			}
		}),
		stack.Consumer: w.measure(consumer, consumer.dir, plainBucket, func() {
			for i, s := range w.syncs {
				consumer.receive(s, objectName(i))
			}
		}),
	}
}

func objectName(i int) string { return fmt.Sprintf("%05d.tar.gz.age", i) }

// send clones a source, archives and encrypts the clone, and uploads that. Each file goes as soon as the next one is made of it.
func (t *tools) send(s project.Sync, key string) {
	t.Helper()
	clone := []string{"clone", "--quiet", "--bare", "--single-branch", "--branch", s.Source.Branch}
	if s.Source.IsSet() {
		clone = []string{"clone", "--quiet", "--mirror"}
	}
	t.run("", "git", append(clone, t.url(s.Source.Path()), "clone")...)
	t.run("", "tar", "czf", "clone.tar.gz", "clone")
	t.remove("clone")
	t.run("", agePath, "--encrypt", "--recipient", t.Identity.Recipient().String(), "--output", "object", "clone.tar.gz")
	t.remove("clone.tar.gz")
	t.put(key, "object")
	t.remove("object")
}

// receive downloads, decrypts and unpacks a clone, and pushes it.
func (t *tools) receive(s project.Sync, key string) {
	t.Helper()
	t.get(key, "object")
	t.run("", agePath, "--decrypt", "--identity", t.IdentityFile(), "--output", "clone.tar.gz", "object")
	t.remove("object")
	t.run("", "tar", "xzf", "clone.tar.gz")
	t.remove("clone.tar.gz")
	t.push("clone", plain(s))
	t.remove("clone")
}

// push pushes a repository's branch, or all that it has, to a destination.
func (t *tools) push(repository string, to project.Branch) {
	t.Helper()
	push := []string{"-C", repository, "push", "--quiet"}
	if to.IsSet() {
		t.run("", "git", append(push, "--mirror", t.url(to.Path()))...)
		return
	}
	t.run("", "git", append(push, t.url(to.Path()), to.Ref())...)
}

// look asks a Git server for the head of each sync, as a script does to find what has moved.
func (w *world) look(role stack.Role) figures {
	w.Helper()
	t := w.newTools(role)
	return w.measure(t, t.dir, plainBucket, func() {
		for _, s := range w.syncs {
			b := s.Source
			if role == stack.Consumer {
				b = s.Destination
			}
			t.run("", "git", "ls-remote", t.url(b.Path()), b.Ref())
		}
	})
}

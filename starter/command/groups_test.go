package command

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

func printed(failures []plan.Failure, more int) string {
	var out bytes.Buffer
	printFailures(&out, failures, more)
	return out.String()
}

// What many syncs fail with is said once, with the names of all.
func TestEqualFailuresAreGrouped(t *testing.T) {
	t.Parallel()
	var failures []plan.Failure
	for _, name := range []string{"b", "a", "c"} {
		failures = append(failures, plan.Failure{
			Subject: "mirror/" + name + "@main", Kind: "GitAuthFailed",
			Reason: fmt.Sprintf("source platform/%s@main: https://git.example/platform/%s.git: 401\nCheck GITLAB_TOKEN.", name, name),
		})
	}
	failures = append(failures, plan.Failure{Subject: "mirror/d@main", Kind: "PushRefused", Reason: "protected", Workflow: "w"})
	require.Equal(t, `failed GitAuthFailed, 3 syncs: source ...: https://git.example/....git: 401
       Check GITLAB_TOKEN.
          mirror/a@main
          mirror/b@main
          mirror/c@main
failed mirror/d@main: protected (PushRefused, workflow w)
failed ... and 7 more
`, printed(failures, 7))
}

// Words stay where they are the same for all, and are told apart where they are not.
func TestOnlyWhatSaysTheSameIsGrouped(t *testing.T) {
	t.Parallel()
	refused := func(name, reason string) plan.Failure { return plan.Failure{Subject: name, Kind: "K", Reason: reason} }
	const tried = "\nTried %s since %s; the first cycle after %s tries again, starter retry at once."
	for name, tt := range map[string]struct {
		a, b plan.Failure
		want string // "" if they are two
	}{
		"the same words":       {refused("g/a@main", "main is protected"), refused("g/b@main", "main is protected"), "main is protected"},
		"other words":          {refused("g/a@main", "protected"), refused("g/b@main", "frozen"), ""},
		"another kind":         {refused("g/a@main", "no"), plan.Failure{Subject: "g/b@main", Kind: "L", Reason: "no"}, ""},
		"a part of a word":     {refused("g/a@x", "fix: no"), refused("g/a@y", "fiy: no"), ""},
		"another branch":       {refused("g/a@v1", "v1 is protected"), refused("g/a@v2", "v2 is protected"), "... is protected"},
		"tried at other times": {refused("g/a@m", "no"+fmt.Sprintf(tried, "once", "1", "2")), refused("g/b@m", "no"+fmt.Sprintf(tried, "3 times", "3", "4")), "no\n       Tried before; one of the next cycles tries again, starter retry at once."},
		"another request":      {refused("g/a@m", "no (request id abc)"), refused("g/b@m", "no (request id def)"), "no (request id ...)"},
		"no destination":       {refused("bucket", "the bucket is full"), refused("catalog", "the catalog is full"), "the ... is full"},
	} {
		out := printed([]plan.Failure{tt.a, tt.b}, 0)
		if tt.want == "" {
			require.Contains(t, out, "failed "+tt.b.Subject+": ", name)
			continue
		}
		require.Contains(t, out, "failed K, 2 syncs: "+tt.want, name)
	}
}

package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// Either side lists what the bucket has by names, in its worker's environment and without Temporal.
func TestObjects(test *testing.T) {
	test.Parallel()
	t := begin(test)
	source, destination, _ := upload(t, "objects")
	second := commit(t, source)
	cycle(t, stack.Producer)
	require.NoError(t, t.bucket.Upload(t.Context(), "somebody's", strings.NewReader("x"), 1))
	for _, role := range stack.Roles {
		out, err := check(t, role, []string{"starter", "objects"})
		require.NoError(t, err, out)
		require.Regexp(t, `(?m)^`+destination+`\n  snapshot .*\n    on [0-9a-f]{7}  `+second[:7]+` .* ago\n`, out)
		require.Contains(t, out, `no key of ours: "somebody's"`)
		require.Regexp(t, ` 1 .* snapshots\n +1 .* increments\n +1 .* catalog\n +1 .* with keys that are not ours\n +4 .* in all\n`, out)
		out, err = check(t, role, []string{"starter", "objects", "-o", "json", "mirror/objects/*"})
		require.NoError(t, err, out)
		var all []struct{ Kind, Destination, Commit, Key string }
		require.NoError(t, json.Unmarshal([]byte(out[strings.Index(out, "[\n"):]), &all), out)
		require.Len(t, all, 2)
		require.Equal(t, []string{"snapshot", "increment", second, destination}, []string{all[0].Kind, all[1].Kind, all[1].Commit, all[1].Destination})
	}
	out, err := check(t, stack.Consumer, []string{"starter", "objects", "-o", "json"}, "AWS_S3_BUCKET=another")
	require.EqualError(t, err, "exit status 1")
	require.Contains(t, out, "BucketNotFound")
}

package smarthttp

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What Git 2.30 to 2.50, GitLab and GitHub say when they refuse a push.
func TestRefusals(t *testing.T) {
	const (
		indexPack = "unpack failed: index-pack abnormal exit"
		unpack    = "unpack failed: unpack-objects abnormal exit"
		preHook   = "not updated: pre-receive hook declined"
		sha       = "0123456789012345678901234567890123456789"
	)
	for name, tt := range map[string]struct {
		reason, messages string
		want             error
	}{
		"thin pack without its base":           {indexPack, "fatal: pack has 1 unresolved delta", ErrMissingObjects},
		"thin pack without its bases":          {indexPack, "Resolving deltas: 0% (0/3)\nfatal: pack has 3 unresolved deltas", ErrMissingObjects},
		"small thin pack without its base":     {unpack, "fatal: unresolved deltas left after unpacking", ErrMissingObjects},
		"small pack, base cannot be read":      {unpack, "error: failed to read delta-pack base object " + sha, ErrMissingObjects},
		"checked pack that lacks a tree":       {indexPack, "fatal: did not receive expected object " + sha, ErrMissingObjects},
		"the same at GitHub":                   {"unpack failed: index-pack failed", "fatal: did not receive expected object " + sha, ErrMissingObjects},
		"small checked pack that lacks a tree": {unpack, "fatal: object of unexpected type", ErrMissingObjects},
		"small checked pack, object gone":      {unpack, "fatal: Whoops! Cannot find object '" + sha + "'", ErrMissingObjects},
		"pack whose objects lead nowhere":      {unpack, "error: Could not read " + sha + "\nfatal: Error on reachable objects of " + sha, ErrMissingObjects},
		"commits without their history":        {"not updated: missing necessary objects", "error: Could not read " + sha, ErrMissingObjects},

		"zero-padded modes":     {unpack, "error: object " + sha + ": zeroPaddedFilemode: contains zero-padded file modes\nfatal: fsck error in packed object", ErrBadObjects},
		"a tree that has .git":  {indexPack, "error: object " + sha + ": hasDotgit: contains '.git'\nfatal: fsck error in packed object", ErrBadObjects},
		"a bad .gitmodules":     {indexPack, "error: object " + sha + ": gitmodulesMissing: unable to read .gitmodules blob\nfatal: fsck error in pack objects", ErrBadObjects},
		"receive.maxInputSize":  {indexPack, "fatal: pack exceeds maximum allowed size", ErrPackTooLarge},
		"the same since 2.35":   {unpack, "fatal: pack exceeds maximum allowed size (1.00 MiB)", ErrPackTooLarge},
		"GitLab's file size":    {preHook, `GitLab: You are attempting to check in one or more blobs which exceed the 100MiB limit:`, ErrPackTooLarge},
		"GitLab's repositories": {preHook, "GitLab: Your push to this repository would cause it to exceed the namespace storage limit of 10 GiB by 1 GiB.", ErrPackTooLarge},
		"GitHub's file size":    {preHook, "error: File a is 120.00 MB; this exceeds GitHub's file size limit of 100.00 MB", ErrPackTooLarge},
		"no space":              {indexPack, "fatal: write error: No space left on device", ErrServerDiskFull},
		"no space, small pack":  {unpack, "fatal: unable to write loose object file: No space left on device", ErrServerDiskFull},
		"no space for the ref":  {"not updated: failed to update ref", "error: Unable to create '/r/refs/heads/main.lock': No space left on device", ErrServerDiskFull},
		"quota":                 {indexPack, "fatal: write error: Disk quota exceeded", ErrServerDiskFull},
		"LFS at GitLab":         {preHook, `GitLab: LFS objects are missing. Ensure LFS is properly set up or try a manual "git lfs push --all".`, ErrMissingLFS},
		"LFS, as the reason":    {`not updated: LFS objects are missing. Ensure LFS is properly set up or try a manual "git lfs push --all".`, "", ErrMissingLFS},
		"LFS at GitHub":         {preHook, "error: GH008: Your push referenced at least 1 unknown Git LFS object:\nunknown Git LFS objects", ErrMissingLFS},
		"hidden":                {"not updated: deny updating a hidden ref", "", ErrHiddenRef},
		"hidden, deleted":       {"not updated: deny deleting a hidden ref", "", ErrHiddenRef},
		"a file for a folder":   {"not updated: failed to update ref", "error: cannot lock ref 'refs/heads/a/b': 'refs/heads/a' exists; cannot create 'refs/heads/a/b'", ErrNameConflict},
		"a folder for a file":   {"not updated: failed to update ref", "error: cannot lock ref 'refs/heads/a': there is a non-empty directory '/r/refs/heads/a' blocking reference 'refs/heads/a'", ErrNameConflict},
		"both at once":          {"not updated: atomic transaction failed", "error: cannot process 'refs/heads/a' and 'refs/heads/a/b' at the same time", ErrNameConflict},
		"the same since 2.50":   {"not updated: refname conflict", "", ErrNameConflict},

		"a killed process":        {indexPack, "error: index-pack died of signal 9", ErrUnpack},
		"a connection that ended": {indexPack, "fatal: early EOF", ErrUnpack},
		"nothing at all":          {indexPack, "", ErrUnpack},
		"no quarantine":           {"unpack failed: unable to create temporary object directory", "", ErrUnpack},

		"a protected branch":                 {preHook, "GitLab: You are not allowed to force push code to a protected branch on this project.", nil},
		"receive.denyNonFastForwards":        {"not updated: non-fast-forward", "error: denying non-fast-forward refs/heads/a (you should pull first)", nil},
		"a hook that speaks of deltas":       {preHook, "fatal: pack has 1 unresolved delta", nil},
		"a hook that speaks of LFS, quietly": {"not updated: failed to update ref", "LFS objects are missing", nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := &RefusedError{Refused: []RefRefusal{{Ref: "refs/heads/a", Reason: tt.reason}}, Messages: strings.Split(tt.messages, "\n")}
			require.Equal(t, tt.want, errors.Unwrap(err))
			require.Equal(t, name == "nothing at all" || name == "no quarantine", err.Unexplained())
		})
	}
}

func TestUnexplained(t *testing.T) {
	for messages, want := range map[string]bool{
		"":                                  true,
		"Schwerwiegend: 1 ungelöstes Delta": true,
		"Unpacking objects: 3% (1/30)":      true,
		"fatal: early EOF":                  false,
		"Unpacking objects\nerror: x":       false,
	} {
		err := &RefusedError{Refused: []RefRefusal{{Reason: "unpack failed: index-pack abnormal exit"}}, Messages: strings.Split(messages, "\n")}
		require.Equal(t, want, err.Unexplained(), messages)
	}
	require.False(t, (&RefusedError{Refused: []RefRefusal{{Reason: "not updated: pre-receive hook declined"}}}).Unexplained())
}

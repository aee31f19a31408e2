package lfs

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const folderA = "lfs/eyJncm91cCI6InBsYXRmb3JtL2VkZ2UiLCJwcm9qZWN0X25hbWUiOiJwcm94eSJ9/"

var proxy = project.Branch{Group: "platform/edge", Name: "proxy", Branch: "main"}

func TestKey(t *testing.T) {
	for _, spelling := range []project.Branch{proxy, {Group: "Platform/EDGE", Name: "Proxy"}} {
		folder, err := Folder(spelling)
		require.NoError(t, err)
		require.Equal(t, folderA, folder)
		for n, want := range map[int]string{1: "/1.age", 12: "/12.age", maxSegments: "/2097152.age"} {
			key, err := Key(spelling, oidA, n)
			require.NoError(t, err)
			require.Equal(t, folderA+oidA+want, key)
			folder, oid, again, err := ParseKey(key)
			require.NoError(t, err)
			require.Equal(t, folderA, folder)
			require.Equal(t, oidA, oid)
			require.Equal(t, n, again)
		}
	}
	group, name, err := ParseFolder(folderA)
	require.NoError(t, err)
	require.Equal(t, "platform/edge proxy", group+" "+name)
}

// What others have in the bucket comes before, so that a listing can end where LFS begins.
func TestRootIsBehindAllOtherKeys(t *testing.T) {
	id := object.ID{Destination: proxy, Commit: strings.Repeat("f", 40)}
	snapshot, err := id.Key()
	require.NoError(t, err)
	id.Base = strings.Repeat("f", 40)
	increment, err := id.Key()
	require.NoError(t, err)
	for _, key := range []string{snapshot, increment} {
		require.Less(t, key, Root)
	}
	_, err = object.ParseKey(folderA + oidA + "/1.age")
	require.ErrorIs(t, err, object.ErrUndecodable, "a release that knows no LFS passes over it")
}

func TestKeyRefuses(t *testing.T) {
	_, err := Key(proxy, "../../x", 1)
	require.ErrorContains(t, err, `OID "../../x" is not a SHA-256`)
	for _, n := range []int{-1, 0, maxSegments + 1} {
		_, err = Key(proxy, oidA, n)
		require.ErrorContains(t, err, "is not from 1 to 2097152")
	}
	_, err = Key(project.Branch{Group: "..", Name: "x"}, oidA, 1)
	require.ErrorContains(t, err, "LFS folder of")
}

func TestLongestKeyFits(t *testing.T) {
	long := project.Branch{Group: strings.Repeat("g/", 77) + strings.Repeat("g", 95), Name: "proxy"}
	key, err := Key(long, oidA, maxSegments)
	require.NoError(t, err)
	require.LessOrEqual(t, len(key), object.MaxKeyLength)
	long.Name += "x"
	_, err = Key(long, oidA, maxSegments)
	require.ErrorContains(t, err, "256 bytes, limit 255")
}

func TestParseKeyRefuses(t *testing.T) {
	folder := func(json string) string { return Root + base64.StdEncoding.EncodeToString([]byte(json)) + "/" }
	for name, key := range map[string]string{
		"empty":           "",
		"root":            Root,
		"no folder":       Root + oidA + "/1.age",
		"folder only":     folderA,
		"no segment":      folderA + oidA,
		"segment 0":       folderA + oidA + "/0.age",
		"zeros":           folderA + oidA + "/01.age",
		"plus":            folderA + oidA + "/+1.age",
		"beyond the last": folderA + oidA + "/2097153.age",
		"other suffix":    folderA + oidA + "/1.tar.age",
		"no suffix":       folderA + oidA + "/1",
		"upper case":      folderA + strings.ToUpper(oidA) + "/1.age",
		"no OID":          folderA + "abc/1.age",
		"deeper":          folderA + oidA + "/1.age/1.age",
		"other root":      strings.Replace(folderA, "lfs", "LFS", 1) + oidA + "/1.age",
		"other spelling":  folder(`{"group":"Platform/edge","project_name":"proxy"}`) + oidA + "/1.age",
		"other order":     folder(`{"project_name":"proxy","group":"platform/edge"}`) + oidA + "/1.age",
		"one more member": folder(`{"group":"platform/edge","project_name":"proxy","x":1}`) + oidA + "/1.age",
		"climbs":          folder(`{"group":"..","project_name":"proxy"}`) + oidA + "/1.age",
		"not JSON":        folder("x") + oidA + "/1.age",
		"not base64":      Root + "!/" + oidA + "/1.age",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := ParseKey(key)
			require.ErrorIs(t, err, object.ErrUndecodable)
		})
	}
	for _, folder := range []string{
		strings.TrimSuffix(folderA, "/"),
		folder(`{"group":"Platform/edge","project_name":"proxy"}`),
		folder(`{"project_name":"proxy","group":"platform/edge"}`),
		folder(`{"group":"platform/edge"}`),
	} {
		_, _, err := ParseFolder(folder)
		require.ErrorIs(t, err, object.ErrUndecodable, folder)
	}
}

func TestSegments(t *testing.T) {
	for _, test := range []struct {
		size, last int64
		segments   int
	}{
		{0, 0, 1}, {1, 1, 1}, {SegmentSize - 1, SegmentSize - 1, 1}, {SegmentSize, SegmentSize, 1}, {SegmentSize + 1, 1, 2},
		{5 << 30, SegmentSize, 10}, {5<<30 + 7, 7, 11}, {MaxSize, SegmentSize, maxSegments},
	} {
		o := Object{OID: oidA, Size: test.size}
		require.Equal(t, test.segments, o.Segments(), "%d bytes", test.size)
		offset, length := o.Segment(test.segments)
		require.Equal(t, test.last, length)
		require.Equal(t, test.size, offset+length)
		first, length := o.Segment(1)
		require.Zero(t, first)
		require.Equal(t, min(test.size, SegmentSize), length)
	}
}

func FuzzKey(f *testing.F) {
	f.Add(folderA + oidA + "/1.age")
	f.Add(folderA + oidA + "/01.age")
	f.Add(Root + "e30=/" + oidA + "/1.age")
	f.Fuzz(func(t *testing.T, key string) {
		folder, oid, n, err := ParseKey(key)
		if err != nil {
			require.ErrorIs(t, err, object.ErrUndecodable)
			return
		}
		group, name, err := ParseFolder(folder)
		require.NoError(t, err)
		again, err := Key(project.Branch{Group: group, Name: name}, oid, n)
		require.NoError(t, err)
		require.Equal(t, key, again)
	})
}

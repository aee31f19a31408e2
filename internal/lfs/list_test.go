package lfs

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	objectA = Object{OID: oidA, Size: 10}
	objectB = Object{OID: oidB, Size: 2 << 30}
)

func TestListRoundTrip(t *testing.T) {
	other := Object{OID: oidA, Size: 9}
	list := NewList([]Object{objectB, objectA, other, objectB})
	require.Equal(t, List{{Object: other}, {Object: objectA}, {Object: objectB}}, list)
	list[1].Missing = true
	text := list.Encode()
	require.Equal(t, oidA+" 9\n"+oidA+" 10 missing\n"+oidB+" 2147483648\n", string(text))
	got, err := ParseList(text)
	require.NoError(t, err)
	require.Equal(t, list, got)
	require.Equal(t, []Object{other, objectB}, list.Present())

	empty, err := ParseList(NewList(nil).Encode())
	require.NoError(t, err)
	require.Empty(t, empty)
}

func TestParseListRefuses(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"no line break":  {oidA + " 1", "line 1"},
		"no size":        {oidA + "\n", "line 1"},
		"blank line":     {oidA + " 1\n\n", "line 2"},
		"two spaces":     {oidA + "  1\n", "line 1"},
		"plus":           {oidA + " +1\n", "line 1"},
		"zeros":          {oidA + " 01\n", "line 1"},
		"negative":       {oidA + " -1\n", "size -1 is not from 0"},
		"too large":      {oidA + " 1125899906842625\n", "size 1125899906842625 is not from 0 to 1125899906842624"},
		"overflow":       {oidA + " 9223372036854775808\n", "line 1"},
		"other word":     {oidA + " 1 lost\n", "line 1"},
		"missing twice":  {oidA + " 1" + missing + missing + "\n", "line 1"},
		"Windows":        {oidA + " 1\r\n", "line 1"},
		"upper case":     {strings.ToUpper(oidA) + " 1\n", "not a SHA-256"},
		"short":          {oidA[1:] + " 1\n", "not a SHA-256"},
		"not sorted":     {oidB + " 1\n" + oidA + " 1\n", "line 2 is not sorted"},
		"size unsorted":  {oidA + " 10\n" + oidA + " 9\n", "line 2 is not sorted"},
		"twice":          {oidA + " 1\n" + oidA + " 1\n", "line 2 is not sorted"},
		"twice, missing": {oidA + " 1\n" + oidA + " 1 missing\n", "line 2 is not sorted"},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := ParseList([]byte(test.text))
			require.ErrorIs(t, err, ErrMalformed)
			require.ErrorContains(t, err, test.want)
			require.Nil(t, list)
		})
	}
	_, err := ParseList(make([]byte, MaxListSize+1))
	require.ErrorIs(t, err, ErrTooMany)
}

func TestTotalSize(t *testing.T) {
	require.Zero(t, TotalSize(nil))
	require.Equal(t, int64(10+2<<30), TotalSize([]Object{objectA, objectB}))
	most := make([]Object, 9000)
	for i := range most {
		most[i].Size = MaxSize
	}
	require.Equal(t, int64(math.MaxInt64), TotalSize(most))
}

func FuzzList(f *testing.F) {
	f.Add([]byte(oidA + " 9\n" + oidA + " 10 missing\n" + oidB + " 2147483648\n"))
	f.Add([]byte(oidA + " 01\n"))
	f.Add([]byte(oidA + " 1 \n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := ParseList(text)
		if err != nil {
			require.Nil(t, list)
			return
		}
		require.Equal(t, string(text), string(list.Encode()))
		for _, entry := range list {
			require.NoError(t, entry.Validate())
		}
	})
}

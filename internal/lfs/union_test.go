package lfs

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnion(t *testing.T) {
	object := func(digit string, size int64) Object { return Object{OID: strings.Repeat(digit, 64), Size: size} }
	gone := func(o Object) Entry { return Entry{Object: o, Missing: true} }
	a, b, c := object("a", 1), object("b", 2), object("c", 3)
	require.Empty(t, Union())
	require.Equal(t, List{{Object: a}, {Object: b}, gone(c)}, Union(List{gone(b), gone(c)}, List{{Object: a}, {Object: b}}, nil, List{gone(b), gone(c)}))
	require.Equal(t, List{{Object: a}, gone(object("a", 2))}, Union(List{gone(object("a", 2))}, List{{Object: a}}), "of two sizes, one is wrong")
}

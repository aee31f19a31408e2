package activities

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"google.golang.org/grpc"
)

// operator answers for a namespace.
type operator struct {
	operatorservice.OperatorServiceClient
	asked int
	types map[string]enums.IndexedValueType
	err   error
}

func (o *operator) OperatorService() operatorservice.OperatorServiceClient { return o }

func (o *operator) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest, ...grpc.CallOption) (*operatorservice.ListSearchAttributesResponse, error) {
	o.asked++
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: o.types}, o.err
}

// Those that are registered are asked for once a minute; while they are not, each time, so that the next cycle sets them.
func TestSearchAttributesAreAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keyword, text := enums.INDEXED_VALUE_TYPE_KEYWORD, enums.INDEXED_VALUE_TYPE_TEXT
		o := &operator{}
		s := &SearchAttributes{Operator: o, Names: []string{"A", "B"}}
		for _, tt := range []struct {
			types map[string]enums.IndexedValueType
			want  bool
		}{{nil, false}, {map[string]enums.IndexedValueType{"A": keyword}, false}, {map[string]enums.IndexedValueType{"A": keyword, "B": text}, false}, {map[string]enums.IndexedValueType{"A": keyword, "B": keyword}, true}} {
			o.types, o.asked = tt.types, 0
			for range 3 {
				require.Equal(t, &tt.want, s.Registered(t.Context()))
			}
			if tt.want {
				require.Equal(t, 1, o.asked)
				time.Sleep(attributesKnownFor)
				s.Registered(t.Context())
				require.Equal(t, 2, o.asked)
			} else {
				require.Equal(t, 3, o.asked)
			}
		}
	})
	require.Nil(t, (&SearchAttributes{}).Registered(t.Context()))
	require.Nil(t, (*SearchAttributes)(nil).Registered(t.Context()))
}

// Workers that may not ask leave it to the input.
func TestSearchAttributesThatCannotBeAskedFor(t *testing.T) {
	t.Parallel()
	s := &SearchAttributes{Operator: &operator{err: errors.New("permission denied")}, Names: []string{"A"}}
	ask := func(ctx context.Context) (bool, error) { return s.Registered(ctx) == nil, nil }
	env := newActivities()
	env.RegisterActivity(ask)
	value, err := env.ExecuteActivity(ask)
	require.NoError(t, err)
	var unknown bool
	require.NoError(t, value.Get(&unknown))
	require.True(t, unknown)
}

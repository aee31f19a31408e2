package activities

import (
	"context"
	"sync"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/activity"
)

// attributesKnownFor is for how long search attributes are taken to be registered that were. Of those that were not, each plan asks:
// whoever registers them looks for the next cycle's.
const attributesKnownFor = time.Minute

// SearchAttributes tells whether a namespace has the search attributes that children set. Where one is not registered, the
// server refuses to start a child with it, again and again. The zero value does not know.
type SearchAttributes struct {
	Operator  Operator
	Namespace string
	Names     []string

	mu         sync.Mutex
	asked      time.Time
	registered *bool
}

// Operator is the part of Temporal's client that tells of a namespace's search attributes.
type Operator interface {
	OperatorService() operatorservice.OperatorServiceClient
}

// Registered is nil where that is not known.
func (s *SearchAttributes) Registered(ctx context.Context) *bool {
	if s == nil || s.Operator == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if missing := s.registered != nil && !*s.registered; missing || time.Since(s.asked) >= attributesKnownFor {
		s.registered, s.asked = s.ask(ctx), time.Now()
	}
	return s.registered
}

func (s *SearchAttributes) ask(ctx context.Context) *bool {
	ctx, cancel := context.WithTimeout(ctx, endQueryTimeout)
	defer cancel()
	answer, err := s.Operator.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: s.Namespace})
	if err != nil {
		activity.GetLogger(ctx).Warn("Whether search attributes are registered is not known: the cycle's input decides", "error", err)
		return nil
	}
	all := true
	for _, name := range s.Names {
		all = all && answer.GetCustomAttributes()[name] == enums.INDEXED_VALUE_TYPE_KEYWORD
	}
	return &all
}

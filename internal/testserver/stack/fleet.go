package stack

import "context"

// AddWorker starts another worker of a side, beside the one that runs, as StartWorker does. Close stops it.
func (s *Stack) AddWorker(ctx context.Context, role Role, environ ...string) (*Worker, error) {
	first := s.Workers[role]
	err := s.StartWorker(ctx, role, environ...)
	added := s.Workers[role]
	s.Workers[role] = first
	if added != first { // else it could not be started at all
		s.closers = append(s.closers, added.Stop)
	}
	return added, err
}

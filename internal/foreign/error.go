package foreign

// Error is err with its text made fit to be shown: lines, of at most limit characters
// together. Whoever looks at what it wraps finds that unchanged.
func (m *Mask) Error(err error, limit int) error {
	if err == nil {
		return nil
	}
	return &maskedError{text: m.Text(err.Error(), limit), err: err}
}

type maskedError struct {
	text string
	err  error
}

func (s *maskedError) Error() string { return s.text }

func (s *maskedError) Unwrap() error { return s.err }

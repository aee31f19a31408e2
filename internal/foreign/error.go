package foreign

// Error returns err with a text that is fit to be shown: lines with at most limit characters together. The errors
// that it wraps stay unchanged.
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

package foreign

// Error is err with its text made fit to be shown: lines, of at most limit characters
// together. Whoever looks at what it wraps finds that unchanged.
func (m *Mask) Error(err error, limit int) error {
	if err == nil {
		return nil
	}
	return &shown{text: m.Text(err.Error(), limit), err: err}
}

type shown struct {
	text string
	err  error
}

func (s *shown) Error() string { return s.text }

func (s *shown) Unwrap() error { return s.err }

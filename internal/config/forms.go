package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// textForm is how the text of a variable is written. White space and a byte order mark around it are left out of any.
type textForm struct {
	// refused are the characters that the text cannot have, besides control characters: a mistake in the making of the
	// file or variable. A space stands for all white space.
	refused string
	// file says that the text may be in a file, "@/path": such as a credential, which is sent to others as it is.
	file bool
	// list says that the text is keys or names, in lines and quotes as editors and readers of .env files leave them. It
	// may be in any file.
	list bool
	// secret says that the text must never be seen outside of the worker's environment.
	secret bool
}

// forms are what the tag "form" names. Where there is none, the text is one word.
var forms = map[string]textForm{
	"":     {refused: ` '"`},
	"path": {},
	// A colon ends the name where a user and a password are sent as one (RFC 7617).
	"user":         {refused: ` '":`, file: true},
	"any user":     {refused: ":", file: true},
	"password":     {file: true, secret: true},
	"token":        {refused: ` '"`, file: true},
	"secret token": {refused: ` '"`, file: true, secret: true},
	"list":         {file: true, list: true},
	"secret list":  {file: true, list: true, secret: true},
}

// maxFileSize bounds what a file that a variable names may hold, in bytes. It is far more than any key.
const maxFileSize = 1 << 20

// text is what a variable holds, in its form. It is empty only for a variable that is not set, or set to nothing.
// Errors never quote it.
func (v variables) text(name string, f textForm) (string, error) {
	text := v[name]
	if text == "" {
		return "", nil
	}
	path, isFile := strings.CutPrefix(text, "@")
	// A password may begin with "@", too.
	if isFile = isFile && f.file && (f.list || strings.HasPrefix(path, "/")); isFile {
		content, err := readFile(path)
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok && !f.list {
			err = fmt.Errorf("the file that it names after @: %w", pathErr.Err) // in case it is a password
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		text = content
	}
	text = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), "\ufeff"))
	switch {
	case !utf8.ValidString(text):
		return "", fmt.Errorf("%s is not UTF-8 text", name)
	case text == "" && isFile:
		return "", fmt.Errorf("%s names a file in which there is nothing", name)
	case text == "":
		return "", fmt.Errorf("%s is set, but to white space only", name)
	case f.list:
		return text, nil
	}
	return text, f.check(name, text)
}

// check refuses the characters that the form does not have.
func (f textForm) check(name, text string) error {
	for _, r := range text {
		switch {
		case unicode.IsControl(r):
			return fmt.Errorf("%s has a control character in it, such as the end of a line", name)
		case unicode.IsSpace(r) && strings.Contains(f.refused, " "):
			return fmt.Errorf("%s has white space in it", name)
		case r == ':' && strings.Contains(f.refused, ":"):
			return fmt.Errorf("%s has a colon in it", name)
		case strings.ContainsRune(`'"`, r) && strings.ContainsRune(f.refused, r):
			return fmt.Errorf("%s has quotes in it: leave them out", name)
		}
	}
	return nil
}

func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err == nil && len(content) > maxFileSize {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFileSize)
	}
	return string(content), err
}

// unquote takes off the quotes that some readers of .env files leave around a value. No key and no
// name of a project has one.
func unquote(text string) string {
	for _, quote := range []string{`"`, "'"} {
		if inner, ok := strings.CutPrefix(text, quote); ok && strings.HasSuffix(inner, quote) {
			return strings.TrimSuffix(inner, quote)
		}
	}
	return text
}

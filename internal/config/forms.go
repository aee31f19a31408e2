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

// textForm is how the text of a variable is written. White space and a byte order mark around any text are ignored.
type textForm struct {
	// refused are the characters, besides control characters, that the text must not contain: they are a mistake in the
	// making of the variable or file. A space stands for all white space.
	refused string
	// file says that the text may be in a file, "@/path". It is for credentials.
	file bool
	// list says that the text is a list of keys or names, on lines and in quotes as editors and readers of .env files
	// leave them. It may be in any file, "@path".
	list bool
	// secret says that the text must never leave the worker; of a URL, only what others could use: its host is no secret.
	secret bool
	url    bool
}

// forms are the values of the tag "form". Without the tag, the text is one word.
var forms = map[string]textForm{
	"":     {refused: ` '"`},
	"path": {},
	// A colon ends the name where a name and a password are sent as one text (RFC 7617).
	"user":         {refused: ` '":`, file: true},
	"any user":     {refused: ":", file: true},
	"password":     {file: true, secret: true},
	"token":        {refused: ` '"`, file: true},
	"secret token": {refused: ` '"`, file: true, secret: true},
	"list":         {file: true, list: true},
	"secret list":  {file: true, list: true, secret: true},
	"secret url":   {refused: ` '"`, file: true, secret: true, url: true},
}

// maxFileSize bounds the file that a variable names, in bytes. It is far more than any key takes.
const maxFileSize = 1 << 20

// text returns the text of a variable, which has to be in the form. It is empty only if the variable is not set, or
// set to nothing. Errors never quote the text.
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

// check refuses characters that the form does not allow.
func (f textForm) check(name, text string) error {
	for _, r := range text {
		switch {
		case unicode.IsControl(r):
			return fmt.Errorf("%s has a control character in it, such as the end of a line", name)
		case unicode.IsSpace(r) && strings.Contains(f.refused, " "):
			return fmt.Errorf("%s has white space in it", name)
		case r == ':' && strings.Contains(f.refused, ":"):
			return fmt.Errorf("%s has a colon in it", name)
		case strings.ContainsRune(f.refused, r):
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

// unquote removes the quotes that some readers of .env files leave around a value. No key and no name of a project
// contains one.
func unquote(text string) string {
	for _, quote := range []string{`"`, "'"} {
		if inner, ok := strings.CutPrefix(text, quote); ok && strings.HasSuffix(inner, quote) {
			return strings.TrimSuffix(inner, quote)
		}
	}
	return text
}

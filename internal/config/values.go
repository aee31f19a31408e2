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

// variables is the environment by name.
type variables map[string]string

// maxFile bounds what a file that a variable names may hold, in bytes. It is far more than any key.
const maxFile = 1 << 20

// credentials are sent to others as they are. For each, the characters that it cannot have besides control
// characters: those are a mistake in the making of the file or variable, and would only be refused by
// the server, as a wrong password. A space stands for all white space.
var credentials = map[string]string{
	"GITLAB_USERNAME": `: '"`, "GITLAB_TOKEN": ` '"`,
	// A colon ends the name where both are sent as one (RFC 7617).
	"GRAPHQL_USERNAME": ":", "GRAPHQL_PASSWORD": "",
	"AWS_ACCESS_KEY_ID": ` '"`, "AWS_SECRET_ACCESS_KEY": ` '"`, "AWS_SESSION_TOKEN": ` '"`,
	"TEMPORAL_API_KEY": ` '"`,
}

// text is what a variable holds: its value, or the content of the file that it names after "@", without
// the white space and the byte order mark around it. It is empty only for a variable that is not set, or set to nothing.
func (v variables) text(name string) (string, error) {
	text := v[name]
	if text == "" {
		return "", nil
	}
	_, isCredential := credentials[name]
	path, isFile := strings.CutPrefix(text, "@")
	// A password may begin with "@", too.
	if isFile = isFile && (!isCredential || strings.HasPrefix(path, "/")); isFile {
		content, err := readFile(path)
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok && isCredential {
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
	}
	return text, nil
}

func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return string(content), err
}

// credential reads one of the credentials.
func (v variables) credential(name string, into *string) error {
	text, err := v.text(name)
	if err != nil {
		return err
	}
	refused := credentials[name]
	for _, r := range text {
		switch {
		case unicode.IsControl(r):
			return fmt.Errorf("%s has a control character in it, such as the end of a line", name)
		case unicode.IsSpace(r) && strings.Contains(refused, " "):
			return fmt.Errorf("%s has white space in it", name)
		case r == ':' && strings.Contains(refused, ":"):
			return fmt.Errorf("%s has a colon in it", name)
		case strings.ContainsRune(`'"`, r) && strings.ContainsRune(refused, r):
			return fmt.Errorf("%s has quotes in it: leave them out", name)
		}
	}
	*into = text
	return nil
}

// protects says whether a variable, if it is there at all, must not be set to nothing, because less is
// checked without it: an empty value is more likely a mistake than somebody's will.
func (v variables) protects(name string) error {
	if value, set := v[name]; set && value == "" {
		return fmt.Errorf("%s is set to nothing: less is checked without it, so unset it if that is meant", name)
	}
	return nil
}

// parse reads a variable that has a form of its own. One that is not set, or set to nothing, is left alone.
func parse[T any](v variables, name string, how func(string) (T, error), into *T) error {
	text, err := v.text(name)
	if err != nil || text == "" {
		return err
	}
	parsed, err := how(unquote(text))
	if _, other := minisignText(text); err == nil && other && name == "ALLOWED_DESTINATIONS" {
		err = errors.New("not a list of projects") // though some keys read like group/name
	}
	if err != nil {
		return mistaken(name, text, err)
	}
	*into = parsed
	return nil
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

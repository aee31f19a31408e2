package foreign_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

const (
	user   = "bot"
	secret = `glpat-x9/K+q"7&<r_Zt%2Q`
)

// forms are what a server may make of a secret that it repeats, written down apart from
// the code that looks for them.
func forms(secret string) map[string]string {
	quoted, _ := json.Marshal(secret)
	inQuotes := string(quoted[1 : len(quoted)-1])
	basic := base64.StdEncoding.EncodeToString([]byte(user + ":" + secret))
	out := map[string]string{
		"plain":         secret,
		"user info":     url.UserPassword(user, secret).String(),
		"basic":         basic,
		"basic in URL":  url.QueryEscape(basic),
		"query":         url.QueryEscape(secret),
		"lower query":   lowerEscapes(url.QueryEscape(secret)),
		"path":          url.PathEscape(secret),
		"JSON":          inQuotes,
		"JSON of JSON":  strings.ReplaceAll(inQuotes, `\`, `\\`),
		"HTML":          html.EscapeString(secret),
		"HTML of query": html.EscapeString(url.QueryEscape(secret)),
		"Go":            fmt.Sprintf("%q", secret)[1 : len(fmt.Sprintf("%q", secret))-1],
		"hex":           hex.EncodeToString([]byte(secret)),
		"upper hex":     strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"lower case":    strings.ToLower(secret),
	}
	for lead := range 4 {
		before := strings.Repeat("x", lead)
		out[fmt.Sprintf("base64 after %d", lead)] = base64.StdEncoding.EncodeToString([]byte(before + secret))
		out[fmt.Sprintf("URL base64 after %d", lead)] = base64.RawURLEncoding.EncodeToString([]byte(before + secret))
	}
	return out
}

func lowerEscapes(s string) string {
	parts := strings.Split(s, "%")
	for i, part := range parts[1:] {
		parts[i+1] = strings.ToLower(part[:2]) + part[2:]
	}
	return strings.Join(parts, "%")
}

func newMask() *foreign.Mask { return foreign.NewMask(secret, user+":"+secret) }

// telling returns the longest piece of a form that the text still has.
func telling(text, form string) string {
	longest := ""
	for i := range form {
		for end := i + len(longest) + 1; end <= len(form) && strings.Contains(text, form[i:end]); end++ {
			longest = form[i:end]
		}
	}
	return longest
}

func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	for name, form := range forms(secret) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := newMask().Line("sent "+form+" to you", 300)
			require.Contains(t, got, "***")
			require.Contains(t, got, "sent ")
			require.Contains(t, got, " to you")
			require.Less(t, len(telling(got, form)), 8, "%q", got)
		})
	}
}

// What splits a secret does not hide it.
func TestSplitSecretsAreMasked(t *testing.T) {
	t.Parallel()
	for _, form := range []string{secret, forms(secret)["basic"]} {
		for _, split := range []string{
			"\r", "\n", "\r\n", "\x00", " ", "\t", "\x1b[31m", "\x1b]0;title\x07", "\u009b1m", "\u200b", "\u200d", "\ufeff", "\u00ad",
			"\u202e", "\u2066", "\u2028", "\u2029", "\u0085", "\ufe0f", "\u034f", "\u3164", "\u0301", "\xff", "\u00a0",
		} {
			text := "sent " + strings.Join(strings.Split(form, ""), split) + " to you"
			require.Equal(t, "sent *** to you", newMask().Line(text, 300), "split by %q", split)
			require.NotContains(t, newMask().Text(text, 300), form[:8], "split by %q", split)
		}
	}
}

// A limit, ours or another's, may leave a part of a secret at an end of the text: less than eight bytes of it remain, and what
// is left of an escape.
func TestCutSecretsAreMasked(t *testing.T) {
	t.Parallel()
	for name, form := range forms(secret) {
		for cut := range form {
			require.Less(t, len(telling(newMask().Line("sent "+form[:cut], 300), form)), 16, "%s, cut off after %d", name, cut)
			require.Less(t, len(telling(newMask().Line("sent "+form[:cut]+"...", 300), form)), 16, "%s, cut off after %d", name, cut)
			require.Less(t, len(telling(newMask().Line(form[:cut], 300), form)), 16, "%s, cut off after %d", name, cut)
			require.Less(t, len(telling(newMask().Line(form[cut:]+" to you", 300), form)), 16, "%s, begun after %d", name, cut)
			require.NotContains(t, newMask().Line("sent "+form+" to you", cut+3), form[:8], "%s, cut by us after %d", name, cut)
		}
	}
}

// Half of a long secret is masked wherever it stands.
func TestPiecesOfLongSecretsAreMasked(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz", 3)
	require.Equal(t, "sent *** (cut)", foreign.NewMask(long).Line("sent "+long[10:60]+" (cut)", 300))
}

func TestShortSecretsDoNotTurnTextsIntoStars(t *testing.T) {
	t.Parallel()
	for _, short := range []string{"", " ", "a", "main", "token"} {
		m := foreign.NewMask(short, "robot:"+short)
		text := "the token of a branch main is a token"
		require.Equal(t, text, m.Line(text, 300), "%q", short)
	}
	require.Equal(t, "sent *** to you", foreign.NewMask("tokens").Line("sent tokens to you", 300))
	m := foreign.NewMask("token", "robot:token")
	require.Equal(t, "***", m.Line("robot:token", 300))
	require.Equal(t, "Basic ***", m.Line("Basic "+base64.StdEncoding.EncodeToString([]byte("robot:token")), 300))
}

func TestSecretOfSeveralLines(t *testing.T) {
	t.Parallel()
	m := foreign.NewMask("first-secret\r\nsecond-secret\n")
	require.Equal(t, "*** and ***", m.Line("first-secret and second-secret", 300))
	m = foreign.NewMask("one-key\r\n two-keys\n")
	for _, line := range []string{"one-key", "two-keys"} {
		require.Equal(t, "sent *** to you", m.Line("sent "+hex.EncodeToString([]byte(line))+" to you", 300))
	}
}

// A form that is not in forms, and is masked to its last character.
func TestEscapedSecretsAreMasked(t *testing.T) {
	t.Parallel()
	const word = "größe-~~~???>>>"
	each := func(format string) string {
		var escaped strings.Builder
		for _, b := range []byte(word) {
			fmt.Fprintf(&escaped, format, b)
		}
		return escaped.String()
	}
	for name, form := range map[string]string{
		"plain":               word,
		"hex":                 each(`\x%02x`),
		"octal":               each(`\%03o`),
		"URL":                 each("%%%02X"),
		"Unicode":             strings.Trim(strconv.QuoteToASCII(word), `"`),
		"HTML":                "gr&#246;&szlig;e-~~~???&gt;&#x3E;&gt;",
		"escaped white space": strings.Join(strings.Split(word, ""), "%0A%7F\\n"),
		"base64 of URLs":      base64.RawURLEncoding.EncodeToString([]byte(word)),
	} {
		require.Equal(t, "sent ***", foreign.NewMask(word).Line("sent "+form, 1000), name)
		require.Equal(t, "sent *** to you", foreign.NewMask(word).Line("sent "+form+" to you", 1000), name)
	}
}

func TestEscapesThatAreNoneStay(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`\`, `\x`, `\x4`, `\xzz`, `\1`, `\18`, `\189`, `\u`, `\u00e`, `\u00ez`, "%", "%4", "%zz", "&", "&#", "&amp", "&none;"} {
		require.Equal(t, "sent "+text, newMask().Line("sent "+text, 300))
		require.Less(t, len(telling(newMask().Line(text+secret+" to you", 300), secret)), 8, "%s hides nothing that follows", text)
	}
}

func TestSecretOfSeveralWords(t *testing.T) {
	t.Parallel()
	m := foreign.NewMask("correct horse\u00a0battery")
	for _, form := range []string{"correct horse battery", "correct+horse+battery", "correct%20horse%20battery", "correct\nhorse\nbattery"} {
		require.Equal(t, "sent ***", m.Line("sent "+form, 300))
	}
}

// Masking one secret does not put another together.
func TestWhatIsLeftIsNoSecret(t *testing.T) {
	t.Parallel()
	require.Equal(t, "***", foreign.NewMask("ab***cd", "inner-secret").Line("abinner-secretcd", 300))
}

func FuzzLine(f *testing.F) {
	f.Add("sent ", secret, " to you", secret, "\r", 300)
	f.Add("\x1b[31m", "Ym90OmFiYw==", "\u202e", "%41%42", "\u200b", 10)
	f.Add("ab", "***cd", "", "abcdef", "", 20)
	f.Add("a…", "b…", "…", "aaaaaaaa…", "", 8)
	f.Fuzz(func(t *testing.T, before, word, after, secret, split string, limit int) {
		limit = 8 + (limit&0xffff)%500
		m := foreign.NewMask(secret, user+":"+secret)
		text := before + word + strings.Join(strings.Split(secret, ""), split) + after + secret + before
		line, lines := m.Line(text, limit), m.Text(text, limit)

		for _, got := range []string{line, strings.ReplaceAll(lines, "\n", " ")} {
			require.False(t, strings.ContainsFunc(got, func(r rune) bool { return foreign.IsControl(r) || !unicode.IsPrint(r) }), "%q", got)
			require.LessOrEqual(t, len([]rune(got)), limit)
			if len(secret) >= 20 && strings.Trim(secret, "*") == secret && foreign.Line(secret, 1000) == secret && !strings.Contains(secret, " ") {
				for name, form := range forms(secret) {
					if len(form) >= 20 && !strings.HasPrefix(name, "base64") && !strings.HasPrefix(name, "URL") {
						require.NotContains(t, got, form, name)
					}
				}
			}
		}
		require.Equal(t, line, m.Line(line, limit))
		require.Equal(t, lines, m.Text(lines, limit))
		require.Equal(t, foreign.Markdown(line), foreign.Line(foreign.Markdown(line), 5000))
	})
}

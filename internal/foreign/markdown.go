package foreign

import "strings"

// markdown puts a backslash before what CommonMark and GitHub's extensions give a meaning within a
// line, and breaks up what they make a link of by itself.
var markdown = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "~", `\~`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`,
	"&", `\&`, "|", `\|`, "!", `\!`, "#", `\#`, "://", `\://`, "www.", `www\.`, "WWW.", `WWW\.`,
)

// Markdown escapes a line for where it is shown as Markdown, such as the summaries and
// details of workflows in Temporal's UI. It is shown as the line is without being escaped.
func Markdown(line string) string {
	line = markdown.Replace(line)
	if strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-") || strings.HasPrefix(line, "=") {
		line = `\` + line // a list, a rule or the underline of a heading
	}
	digits := len(line) - len(strings.TrimLeft(line, "0123456789"))
	if rest := line[digits:]; digits > 0 && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, ")")) {
		line = line[:digits] + `\` + rest // a numbered list
	}
	return line
}

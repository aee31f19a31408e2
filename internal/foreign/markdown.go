package foreign

import "strings"

// markdown escapes what has a meaning within a line in CommonMark and GitHub's extensions, and breaks up what they
// turn into links.
var markdown = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "~", `\~`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`,
	"&", `\&`, "|", `\|`, "!", `\!`, "#", `\#`, "://", `\://`, "www.", `www\.`, "WWW.", `WWW\.`,
)

// Markdown escapes a line for places that show Markdown, such as the summaries and details of workflows in Temporal's
// UI, so that it looks there as it is.
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

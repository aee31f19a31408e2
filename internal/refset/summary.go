package refset

import (
	"fmt"
	"strings"
)

// Summary counts what d does to base, for people: "3 tags new, 1 branch moved, 1 tag deleted". The pattern is that of
// the set, such as "refs/*".
func (d Difference) Summary(base List, pattern string) string {
	var added, moved, gone count
	for _, ref := range d {
		_, wasThere := base.Find(ref.Part)
		isTag := ref.isTag(pattern)
		switch {
		case ref.IsDeletion():
			gone.add(isTag)
		case wasThere:
			moved.add(isTag)
		default:
			added.add(isTag)
		}
	}
	var words []string
	words = added.describe(words, " new")
	words = moved.describe(words, " moved")
	words = gone.describe(words, " deleted")
	if len(words) == 0 {
		return "no ref changed"
	}
	return strings.Join(words, ", ")
}

// Summary counts the refs of a set with this pattern, for people: "2 branches, 3 tags".
func (l List) Summary(pattern string) string {
	var all count
	for _, ref := range l {
		all.add(ref.isTag(pattern))
	}
	return strings.Join(all.describe(nil, ""), ", ")
}

func (r Ref) isTag(pattern string) bool {
	return strings.HasPrefix(strings.Replace(pattern, "*", r.Part, 1), "refs/tags/")
}

// count is how many branches and tags something has happened to.
type count struct{ branches, tags int }

func (c *count) add(isTag bool) {
	if isTag {
		c.tags++
	} else {
		c.branches++
	}
}

// describe appends to words what has happened to how many.
func (c *count) describe(words []string, what string) []string {
	switch {
	case c.branches == 1:
		words = append(words, "1 branch"+what)
	case c.branches > 1:
		words = append(words, fmt.Sprintf("%d branches%s", c.branches, what))
	}
	switch {
	case c.tags == 1:
		words = append(words, "1 tag"+what)
	case c.tags > 1:
		words = append(words, fmt.Sprintf("%d tags%s", c.tags, what))
	}
	return words
}

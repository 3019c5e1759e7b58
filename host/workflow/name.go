package workflow

import (
	"regexp"
	"slices"
	"sync"
)

// name is a rule for a text: a key of a table, or a value.
type name struct {
	what     string // "a node name"
	pattern  string // without anchors
	rule     string // the pattern in words
	max      int    // bytes
	reserved []string
	compiled func() *regexp.Regexp
}

func newName(n name) *name {
	n.compiled = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("^(?:" + n.pattern + ")$") })
	return &n
}

// check says what is wrong with text, "" if nothing is.
func (n *name) check(text string) (expected, hint string) {
	switch {
	case slices.Contains(n.reserved, text):
		return n.what, text + " has a meaning of its own, choose another name"
	case len(text) > n.max || !n.compiled().MatchString(text):
		return n.what, n.rule
	}
	return "", ""
}

package main

import (
	"bytes"
	"errors"
	"strings"
)

const devNull = "/dev/null"

// maxName bounds the line that names files: 4096 bytes of path twice, each byte as
// an octal escape, and room.
const maxName = 40 << 10

// gitName returns the path that both sides of "diff --git a/PATH b/PATH" name, or ""
// when they differ, as for renames: other headers give it then.
func gitName(line []byte) (string, error) {
	if len(line) > maxName {
		return "", errors.New("names longer than any file system allows")
	}
	if bytes.IndexByte(line, '"') >= 0 {
		if a, b, ok := quotedPair(string(line)); ok {
			return sameName(a, b), nil
		}
		return "", errors.New("names: a quote is not closed, or an escape is wrong")
	}
	s := string(line)
	for i := range len(s) {
		if s[i] != ' ' || abs(len(s)-1-2*i) > 64 {
			continue
		}
		if name := sameName(s[:i], s[i+1:]); name != "" {
			return name, nil
		}
	}
	return "", nil
}

func abs(n int) int { return max(n, -n) }

// quotedPair splits two names of which at least one is quoted.
func quotedPair(s string) (a, b string, ok bool) {
	if s[0] == '"' {
		end := quoteEnd(s)
		if end < 0 || end >= len(s) || s[end] != ' ' {
			return "", "", false
		}
		a, b = s[:end], s[end+1:]
	} else {
		i := strings.Index(s, ` "`)
		if i < 0 {
			return "", "", false
		}
		a, b = s[:i], s[i+1:]
	}
	a, errA := unquote(a)
	b, errB := unquote(b)
	return a, b, errA == nil && errB == nil
}

// sameName returns the path of two names that differ in their first component at
// most (a/ and b/, or whatever --src-prefix says), "" if they are different files.
func sameName(a, b string) string {
	if a == b {
		return a
	}
	if sa, sb := stripFirst(a), stripFirst(b); sa == sb && sa != a {
		return sa
	}
	return ""
}

// stripFirst removes the first component of a path, if it has more than one.
func stripFirst(s string) string {
	if _, rest, ok := strings.Cut(s, "/"); ok && rest != "" {
		return rest
	}
	return s
}

// pair removes the prefixes of two names of --- and +++.
func pair(oldName, newName string) (oldPath, newPath string) {
	oldPrefix, oldRest, _ := strings.Cut(oldName, "/")
	newPrefix, newRest, _ := strings.Cut(newName, "/")
	switch {
	case oldName == devNull:
		if newPrefix == "b" && newRest != "" {
			return oldName, newRest
		}
	case newName == devNull:
		if oldPrefix == "a" && oldRest != "" {
			return oldRest, newName
		}
	case oldRest != "" && newRest != "" && oldPrefix != newPrefix && (oldRest == newRest || oldPrefix == "a" && newPrefix == "b"):
		return oldRest, newRest
	}
	return oldName, newName
}

// fileName reads the name after --- or +++: quoted, or up to a tab, after which
// there may be a date.
func fileName(line []byte) (string, error) {
	s := string(line)
	if strings.HasPrefix(s, `"`) {
		end := quoteEnd(s)
		if end < 0 {
			return "", errors.New("a quote is not closed")
		}
		return unquote(s[:end])
	}
	s, _, _ = strings.Cut(s, "\t")
	if s == "" {
		return "", errNoPath
	}
	return s, nil
}

// quoteEnd returns the offset after the quoted string at the start of s, -1 if it
// is not closed.
func quoteEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

var simpleEscapes = map[byte]byte{
	'a': '\a', 'b': '\b', 't': '\t', 'n': '\n', 'v': '\v', 'f': '\f', 'r': '\r', '"': '"', '\\': '\\',
}

// unquote undoes git's quoting of unusual paths: "tab\there \303\251". A name
// without quotes is returned as it is.
func unquote(s string) (string, error) {
	if !strings.HasPrefix(s, `"`) {
		return s, nil
	}
	if quoteEnd(s) != len(s) {
		return "", errors.New("a quoted path goes on after its quote")
	}
	s = s[1 : len(s)-1]
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		i++
		if c, ok := simpleEscapes[s[i]]; ok {
			b = append(b, c)
			continue
		}
		c, ok := octal(s[i:])
		if !ok {
			return "", errors.New("a quoted path has an escape that git does not write: \\" + s[i:i+1])
		}
		b = append(b, c)
		i += 2
	}
	if len(b) == 0 {
		return "", errNoPath
	}
	return string(b), nil
}

// octal reads three octal digits that make a byte.
func octal(s string) (byte, bool) {
	if len(s) < 3 || s[0] > '3' {
		return 0, false
	}
	n := 0
	for _, c := range []byte(s[:3]) {
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n<<3 | int(c-'0')
	}
	return byte(n), true
}

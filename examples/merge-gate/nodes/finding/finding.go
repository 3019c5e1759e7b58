// Package finding is what the Go nodes of merge-gate share: the files that split
// writes, as checks see them, and the findings that checks write. The Rust nodes
// have the same in their crate "finding"; both are tested against the same ids.
package finding

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"strings"
)

// Severities, from the worst.
const (
	High   = "high"
	Medium = "medium"
	Low    = "low"
)

// Finding is one thing that somebody should look at.
type Finding struct {
	// ID stays the same when lines move: see ID.
	ID       string `json:"id"`
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	Path     string `json:"path"`
	// Line is a number in the new file; 0 is the file as a whole.
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
	// Excerpt is the place, printable, with secrets cut out. May be empty.
	Excerpt string `json:"excerpt,omitempty"`
}

// ID identifies a finding over pushes: 16 hex digits of SHA-256 over rule, path and
// the offending content, each ended by a zero byte. The line number is not in it.
func ID(rule, path, content string) string {
	h := sha256.New()
	for _, s := range []string{rule, path, content} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Run is a run of added lines.
type Run struct {
	Line int    `json:"line"` // number of the first one in the new file
	Text string `json:"text"` // without the last line's end
}

// File is one file of a change.
type File struct {
	Path   string `json:"path"`
	Status string `json:"status"` // added, deleted, modified, renamed, copied
	Mode   string `json:"mode"`
	Binary bool   `json:"binary"`
	Size   int64  `json:"size"` // of binary data in the patch, 0 if not there
	Added  []Run  `json:"added"`
}

// Fixture reports whether a path belongs to test data or documentation of an
// example, where odd content is often meant: findings there are low.
func Fixture(name string) bool {
	for _, dir := range strings.Split(strings.ToLower(path.Dir(name)), "/") {
		switch dir {
		case "testdata", "fixtures", "fixture", "__fixtures__", "__tests__", "test", "tests", "spec", "specs", "mocks", "__mocks__":
			return true
		}
	}
	base := strings.ToLower(path.Base(name))
	return strings.Contains(base, "_test.") || strings.Contains(base, ".test.") || strings.Contains(base, ".spec.")
}

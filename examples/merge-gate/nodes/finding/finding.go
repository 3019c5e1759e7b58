// Package finding is what the Go nodes of merge-gate know of the findings that checks
// write. The nodes in other languages have the same.
package finding

// Severities, from the worst.
const (
	High   = "high"
	Medium = "medium"
	Low    = "low"
)

// Finding is one thing that somebody should look at.
type Finding struct {
	// ID stays the same when lines move: a digest of rule, path and the offending
	// content, without the line number.
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

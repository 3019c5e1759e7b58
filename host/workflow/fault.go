package workflow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a manifest.
type Pos struct {
	File      string // as given to Load
	Line, Col int    // from 1, Col in characters; Line 0 = the file as a whole
}

// String is file:line:col, or the file alone when the line is not known.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Severity tells what must be mended from what should be looked at.
type Severity uint8

// The severities. A manifest with a Error has no Graph.
const (
	Error Severity = iota
	Warning
)

// String is "error" or "warning".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Fault is one thing that is wrong with a manifest.
type Fault struct {
	Pos      Pos
	Severity Severity
	Text     string // "subject: expected ..., found ..."
	Hint     string // what to do about it; "" = nothing to add
}

// String is "file:line:col: text", with "warning: " before the text of a
// warning and the hint, if there is one, on a line of its own.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.Pos.String())
	b.WriteString(": ")
	if f.Severity == Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(f.Text)
	if f.Hint != "" {
		b.WriteString("\n    hint: ")
		b.WriteString(f.Hint)
	}
	return b.String()
}

// Invalid is the error of Load and Parse when a manifest has faults. It holds
// all of them, in the order of their places, warnings included.
type Invalid struct {
	File   string
	Faults []Fault
}

// Error is one line per fault, hints on lines of their own.
func (e *Invalid) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// maxFaults bounds what one manifest can make us print and compute hints for.
const maxFaults = 100

// faults collects what one pass over a manifest finds.
type faults struct {
	file   string
	list   []Fault
	seen   map[Fault]bool
	errors int // those beyond maxFaults included
	more   int // not in list
}

func newFaults(file string) *faults {
	return &faults{file: file, seen: make(map[Fault]bool)}
}

// full says that further faults are only counted, so hints need no computing.
func (fs *faults) full() bool { return len(fs.list) >= maxFaults }

func (fs *faults) add(f Fault) {
	if f.Pos.File == "" {
		f.Pos.File = fs.file
	}
	if fs.seen[f] {
		return
	}
	if f.Severity == Error {
		fs.errors++
	}
	if fs.full() {
		fs.more++
		return
	}
	fs.seen[f] = true
	fs.list = append(fs.list, f)
}

func (fs *faults) errorf(at Pos, hint, format string, a ...any) {
	fs.add(Fault{Pos: at, Text: fmt.Sprintf(format, a...), Hint: hint})
}

func (fs *faults) warnf(at Pos, hint, format string, a ...any) {
	fs.add(Fault{Pos: at, Severity: Warning, Text: fmt.Sprintf(format, a...), Hint: hint})
}

// sorted returns the faults by place.
func (fs *faults) sorted() []Fault {
	list := slices.Clone(fs.list)
	slices.SortStableFunc(list, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Col, b.Pos.Col), cmp.Compare(a.Severity, b.Severity))
	})
	if fs.more > 0 {
		list = append(list, Fault{
			Pos:  Pos{File: fs.file},
			Text: fmt.Sprintf("%d more faults not shown", fs.more),
			Hint: "mend the ones above and look again",
		})
	}
	return list
}

// invalid returns the *Invalid to report, nil if there are only warnings.
func (fs *faults) invalid() error {
	if fs.errors == 0 {
		return nil
	}
	return &Invalid{File: fs.file, Faults: fs.sorted()}
}

package main

import (
	"path"
	"strconv"

	dash "github.com/dashhost/dashhost/sdk/go"
)

// writer builds the output while the patch is read.
type writer struct {
	buf    []byte
	names  []byte // paths of the files with hunks: change.context
	hunks  []byte // "hunks" of the file in work; written when it ends
	first  bool   // no line in the open hunk yet
	open   bool   // inside a run of added lines
	runs   int    // of the file in work
	expect int    // number of the line that continues the open run
	total  struct{ files, binary, added, removed int }
}

// begin allocates once: the output of a patch is, but for very odd ones, not
// longer than the patch.
func (w *writer) begin(size int) {
	w.buf = make([]byte, 0, size+size/8+512)
	w.buf = append(w.buf, `{"findings!":[],"files":[`...)
}

func (w *writer) end() []byte {
	w.buf = append(w.buf, `],"change":{"files":`...)
	w.buf = strconv.AppendInt(w.buf, int64(w.total.files), 10)
	w.buf = strconv.AppendInt(append(w.buf, `,"binary":`...), int64(w.total.binary), 10)
	w.buf = strconv.AppendInt(append(w.buf, `,"added":`...), int64(w.total.added), 10)
	w.buf = strconv.AppendInt(append(w.buf, `,"removed":`...), int64(w.total.removed), 10)
	w.buf = append(append(w.buf, `,"context":[`...), w.names...)
	return append(w.buf, `]}}`...)
}

// file writes what the headers say, and leaves the object open for lines.
func (w *writer) file(f *file) {
	if w.total.files > 0 {
		w.buf = append(w.buf, ',')
	}
	w.total.files++
	w.buf = dash.AppendString(append(w.buf, `{"path":`...), f.path)
	w.member("old", f.old)
	w.member("status", f.status)
	w.member("mode", f.mode)
	w.member("old_mode", f.oldMode)
	if f.binary {
		w.total.binary++
		w.buf = append(w.buf, `,"binary":true`...)
	}
	if f.size >= 0 {
		w.buf = strconv.AppendInt(append(w.buf, `,"size":`...), f.size, 10)
	}
	w.runs, w.hunks = 0, w.hunks[:0]
}

func (w *writer) member(name, value string) {
	if value == "" {
		return
	}
	w.buf = append(append(append(w.buf, `,"`...), name...), `":`...)
	w.buf = dash.AppendString(w.buf, value)
}

func (w *writer) endFile() {
	if w.runs > 0 {
		w.buf = append(w.buf, ']')
	}
	if len(w.hunks) > 0 {
		w.buf = append(append(append(w.buf, `,"hunks":[`...), w.hunks...), ']')
	}
	w.buf = append(w.buf, '}')
}

// addedLine adds a line to the open run if it continues it, else to a new one.
// Removed lines in between do not interrupt a run: they have no number in the new
// file.
func (w *writer) addedLine(number int, content []byte) {
	w.total.added++
	switch {
	case w.open && number == w.expect:
		w.buf = append(w.buf, `\n`...)
	default:
		w.endRun()
		if w.runs == 0 {
			w.buf = append(w.buf, `,"added":[`...)
		} else {
			w.buf = append(w.buf, ',')
		}
		w.runs++
		w.open = true
		w.buf = openText(w.buf, number)
	}
	w.buf = dash.AppendText(w.buf, content)
	w.expect = number + 1
}

func (w *writer) endRun() {
	if w.open {
		w.buf = append(w.buf, `"}`...)
		w.open = false
	}
}

func openText(dst []byte, line int) []byte {
	dst = strconv.AppendInt(append(dst, `{"line":`...), int64(line), 10)
	return append(dst, `,"text":"`...)
}

// name lists a file in change.context.
func (w *writer) name(path string) {
	if len(w.names) > 0 {
		w.names = append(w.names, ',')
	}
	w.names = dash.AppendString(w.names, path)
}

func (w *writer) beginHunk(line int) {
	if len(w.hunks) > 0 {
		w.hunks = append(w.hunks, ',')
	}
	w.hunks = openText(w.hunks, line)
	w.first = true
}

func (w *writer) hunkLine(kind byte, content []byte) {
	if !w.first {
		w.hunks = append(w.hunks, `\n`...)
	}
	w.first = false
	w.hunks = dash.AppendText(append(w.hunks, kind), content)
}

func (w *writer) endHunk() { w.hunks = append(w.hunks, `"}`...) }

// keepsContext reports whether the hunks of a path are passed on whole.
func (p *parser) keepsContext(name string) bool {
	for _, pattern := range p.context {
		if ok, err := path.Match(pattern, path.Base(name)); ok && err == nil {
			return true
		}
	}
	return false
}

package main

import (
	"bytes"
	"errors"
	"math"
	"strconv"
)

// span is one side of a hunk header: "-3,7" or "+5".
type span struct{ start, count int }

func (s span) zero() bool { return s.start == 0 && s.count == 0 }

// ranges of a hunk header: one old side per parent, two or more in a merge.
type ranges struct {
	old []span
	new span
}

var errHunk = errors.New("a broken hunk header, want @@ -a,b +c,d @@")

// maxParents bounds the columns of a merge; git's octopus merges stay far below.
const maxParents = 64

// hunkRanges parses "@@ -1,2 +1,3 @@ section", with one more @ per further parent.
func hunkRanges(line []byte) (ranges, error) {
	var r ranges
	marks := 0
	for marks < len(line) && line[marks] == '@' {
		marks++
	}
	if marks < 2 || marks-1 > maxParents {
		return r, errHunk
	}
	rest := line[marks:]
	for range marks - 1 {
		s, after, ok := parseSpan(rest, " -")
		if !ok {
			return r, errHunk
		}
		r.old, rest = append(r.old, s), after
	}
	s, rest, ok := parseSpan(rest, " +")
	if !ok || len(rest) <= marks || rest[0] != ' ' || !bytes.Equal(rest[1:marks+1], line[:marks]) {
		return r, errHunk
	}
	r.new = s
	return r, nil
}

func parseSpan(b []byte, prefix string) (s span, rest []byte, ok bool) {
	if !has(b, prefix) {
		return s, nil, false
	}
	s.count = 1
	s.start, rest, ok = number(b[len(prefix):])
	if ok && has(rest, ",") {
		s.count, rest, ok = number(rest[1:])
	}
	return s, rest, ok
}

func number(b []byte) (int, []byte, bool) {
	i := 0
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	n, err := strconv.Atoi(string(b[:min(i, 11)]))
	return n, b[i:], err == nil && i <= 10 && n <= math.MaxInt32
}

// hunks reads all hunks of a file and writes the file.
func (p *parser) hunks(f *file) error {
	p.out.file(f)
	whole := p.keepsContext(f.path)
	if whole {
		p.out.name(f.path)
	}
	for !p.eof && has(p.line, "@@") {
		r, err := hunkRanges(text(p.line))
		if err != nil {
			return p.errorf("%s: %w", f.path, err)
		}
		if err := p.hunk(f, r, whole); err != nil {
			return err
		}
	}
	p.out.endFile()
	return nil
}

// hunk reads the lines of one hunk: as many as its header says.
func (p *parser) hunk(f *file, r ranges, whole bool) error {
	start := p.at
	line := r.new.start
	if whole {
		p.out.beginHunk(line)
	}
	for p.next(); !r.done(); p.next() {
		if p.eof {
			return p.errorf("%s: the patch ends inside the hunk of line %d, which misses %d lines", f.path, start, r.missing())
		}
		if has(p.line, "\\") {
			continue
		}
		kind, content, ok := r.take(p.line)
		if !ok {
			return p.errorf("%s: not a line of the hunk of line %d, which misses %d lines: want one that starts with space, + or -",
				f.path, start, r.missing())
		}
		if whole {
			p.out.hunkLine(kind, content)
		}
		switch kind {
		case '+':
			p.out.addedLine(line, content)
			line++
		case '-':
			p.out.total.removed++
		default:
			line++
		}
	}
	p.out.endRun()
	if whole {
		p.out.endHunk()
	}
	for !p.eof && has(p.line, "\\") {
		p.next()
	}
	if !p.eof && p.tooLong() {
		return p.errorf("%s: the hunk of line %d goes on after its end: the counts in its header are wrong", f.path, start)
	}
	return nil
}

// tooLong reports a line after a hunk that can only belong to it. A mail's
// signature and the header of the next file begin with - too.
func (p *parser) tooLong() bool {
	switch {
	case has(p.line, "+"):
		return true
	case !has(p.line, "-"), string(text(p.line)) == "-- ", string(text(p.line)) == "--", string(text(p.line)) == "---":
		return false
	}
	return !(has(p.line, "--- ") && has(p.peek(1), "+++ "))
}

func (r *ranges) done() bool { return r.missing() == 0 }

// missing counts the lines still to come, at least.
func (r *ranges) missing() int {
	n := r.new.count
	for _, o := range r.old {
		n = max(n, o.count)
	}
	return n
}

// take judges a line of the hunk, counts it and returns what it is: added, removed
// or unchanged (' '), and its content. Columns say, parent by parent, whether the
// line is new (+) against it, or was there and is gone (-).
func (r *ranges) take(line []byte) (kind byte, content []byte, ok bool) {
	if len(text(line)) == 0 {
		line = blank[:len(r.old)] // editors and mailers drop the space of an empty line
	}
	if len(line) < len(r.old) {
		return 0, nil, false
	}
	columns, content := line[:len(r.old)], text(line[len(r.old):])
	kind = ' '
	for _, c := range columns {
		switch c {
		case '-', '+':
			if kind != ' ' && kind != c {
				return 0, nil, false
			}
			kind = c
		case ' ':
		default:
			return 0, nil, false
		}
	}
	ok = true
	for i, c := range columns {
		if c == '-' || c == ' ' && kind != '-' {
			r.old[i].count--
			ok = ok && r.old[i].count >= 0
		}
	}
	if kind != '-' {
		r.new.count--
	}
	return kind, content, ok && r.new.count >= 0
}

var blank = bytes.Repeat([]byte(" "), maxParents)

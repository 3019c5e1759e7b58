package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// A patch, as read here. Whatever stands outside is skipped (mail headers, commit
// messages, signatures). Inside a hunk the counts of its header say where it ends,
// so a changed line that looks like a header is a changed line.
//
//	diff --git a/OLD b/NEW          diff --cc PATH           (plain: no such line)
//	old mode, new file mode, ...    mode A,B..C
//	rename from OLD, rename to NEW
//	GIT binary patch | Binary files A and B differ
//	--- a/OLD                       --- a/PATH               --- OLD <tab> DATE
//	+++ b/NEW                       +++ b/PATH               +++ NEW <tab> DATE
//	@@ -1,2 +1,3 @@ section         @@@ -1,2 -1,2 +1,3 @@@   @@ -1 +1 @@
//	 unchanged                        unchanged
//	-removed                        - removed from one parent
//	+added                           +not in the second parent
//	\ No newline at end of file

// parser reads a patch line by line.
type parser struct {
	rest    []byte   // after the current line
	line    []byte   // current line, without its end
	at      int      // its number, from 1
	eof     bool     // there is no current line
	context []string // see Config
	out     writer
}

// split parses a patch and returns the node's output. Errors begin with the line:
// "line 12: ...".
func split(patch []byte, context []string) ([]byte, error) {
	p := &parser{rest: patch, context: context}
	p.out.begin(len(patch))
	p.next()
	for !p.eof {
		if err := p.outside(); err != nil {
			return nil, err
		}
	}
	if p.out.total.files == 0 && len(bytes.TrimSpace(patch)) > 0 {
		return nil, fmt.Errorf("has %d lines and no diff in them: give it what git diff prints", p.at-1)
	}
	return p.out.end(), nil
}

// next moves to the next line. The end of a line is \n; a \r before it is left to
// those who know whether it is content.
func (p *parser) next() {
	p.at++
	if len(p.rest) == 0 {
		p.line, p.eof = nil, true
		return
	}
	if i := bytes.IndexByte(p.rest, '\n'); i >= 0 {
		p.line, p.rest = p.rest[:i], p.rest[i+1:]
	} else {
		p.line, p.rest = p.rest, nil
	}
}

// peek returns the line that is n lines ahead.
func (p *parser) peek(n int) []byte {
	rest := p.rest
	for ; ; n-- {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		if n == 1 {
			return line
		}
		rest = after
	}
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d: "+format, append([]any{p.at}, args...)...)
}

func has(line []byte, prefix string) bool {
	return len(line) >= len(prefix) && string(line[:len(prefix)]) == prefix
}

// outside looks at a line that belongs to no file.
func (p *parser) outside() error {
	switch {
	case has(p.line, "diff --git "):
		return p.gitFile()
	case has(p.line, "diff --cc "), has(p.line, "diff --combined "):
		return p.combinedFile()
	case has(p.line, "--- ") && has(p.peek(1), "+++ ") && has(p.peek(2), "@@ -"):
		return p.plainFile()
	case has(p.line, "Binary files ") && bytes.HasSuffix(text(p.line), []byte(" differ")):
		p.plainBinary()
		return nil
	case has(p.line, "@@ -"):
		if _, err := hunkRanges(p.line); err == nil {
			return p.errorf("a hunk without a file: the lines --- and +++ before it are missing")
		}
	}
	p.next()
	return nil
}

// text is a header line without the \r of a patch that was sent with CRLF.
func text(line []byte) []byte { return bytes.TrimSuffix(line, []byte("\r")) }

// file is what the headers of a file say.
type file struct {
	path, old     string
	status        string
	mode, oldMode string
	binary        bool
	size          int64 // of binary data; -1 not known
}

// gitFile reads a file that starts with "diff --git".
func (p *parser) gitFile() error {
	name, err := gitName(text(p.line)[len("diff --git "):])
	if err != nil {
		return p.errorf("%w", err)
	}
	f := file{path: name, status: "modified", size: -1}
	start := p.at
	if err := p.gitHeaders(&f); err != nil {
		return err
	}
	if has(p.line, "--- ") && !p.eof {
		if err := p.gitNames(&f); err != nil {
			return err
		}
		if !has(p.line, "@@ -") {
			return p.errorf("%s: want a hunk (@@ -a,b +c,d @@) after +++", f.path)
		}
	}
	if f.path == "" {
		return fmt.Errorf("line %d: cannot tell the path: quote it as git does, or give --- and +++", start)
	}
	return p.hunks(&f)
}

// gitHeaders reads the extended headers up to ---, binary data or the next file.
func (p *parser) gitHeaders(f *file) error {
	for p.next(); !p.eof; p.next() {
		line := text(p.line)
		key, value := header(line)
		var err error
		switch key {
		case "old mode":
			f.oldMode = value
		case "new mode":
			f.mode = value
		case "new file mode":
			f.status, f.mode = "added", value
		case "deleted file mode":
			f.status, f.mode = "deleted", value
		case "rename from", "rename old":
			f.status = "renamed"
			f.old, err = unquote(value)
		case "copy from":
			f.status = "copied"
			f.old, err = unquote(value)
		case "rename to", "rename new", "copy to":
			f.path, err = unquote(value)
		case "similarity index", "dissimilarity index":
		case "index":
			if _, mode, ok := bytes.Cut([]byte(value), []byte(" ")); ok && f.mode == "" {
				f.mode = string(mode)
			}
		default:
			return p.binary(f, line)
		}
		if err != nil {
			return p.errorf("%s: %w", key, err)
		}
	}
	return nil
}

var gitKeys = []string{
	"old mode", "new mode", "new file mode", "deleted file mode", "rename from", "rename to", "rename old",
	"rename new", "copy from", "copy to", "similarity index", "dissimilarity index", "index",
}

// header splits an extended header into its key, "" if it is none, and its value.
func header(line []byte) (key, value string) {
	for _, k := range gitKeys {
		if has(line, k) && len(line) > len(k) && line[len(k)] == ' ' {
			return k, string(line[len(k)+1:])
		}
	}
	return "", ""
}

// binary reads what stands for the hunks of a binary file, if it is one.
func (p *parser) binary(f *file, line []byte) error {
	switch {
	case has(line, "Binary files ") && bytes.HasSuffix(line, []byte(" differ")):
		f.binary = true
		p.next()
	case string(line) == "GIT binary patch":
		f.binary = true
		p.next()
		return p.binaryData(f)
	}
	return nil
}

// binaryData reads the one or two blocks of a git binary patch: the new data and,
// to apply it in reverse, the old.
func (p *parser) binaryData(f *file) error {
	for block := 0; block < 2; block++ {
		kind, count, _ := bytes.Cut(text(p.line), []byte(" "))
		literal := string(kind) == "literal"
		if p.eof || !literal && string(kind) != "delta" {
			if block == 1 {
				return nil
			}
			return p.errorf("%s: want literal or delta and a size in a git binary patch", f.path)
		}
		size, err := strconv.ParseInt(string(count), 10, 64)
		if err != nil || size < 0 {
			return p.errorf("size of binary data: want a number, have %q", count)
		}
		if block == 0 {
			f.size = size
		}
		if err := p.base85(); err != nil {
			return err
		}
	}
	return nil
}

// base85 reads the lines of one block and the empty line after it: each starts with
// the number of its bytes, as a letter, and has five characters per four bytes.
func (p *parser) base85() error {
	for p.next(); !p.eof; p.next() {
		line := text(p.line)
		if len(line) == 0 {
			p.next()
			return nil
		}
		n := 0
		switch c := line[0]; {
		case c >= 'A' && c <= 'Z':
			n = int(c-'A') + 1
		case c >= 'a' && c <= 'z':
			n = int(c-'a') + 27
		}
		if n == 0 || len(line)-1 != (n+3)/4*5 {
			return p.errorf("not a line of a git binary patch: its length does not fit its first character")
		}
	}
	return nil
}

// gitNames reads --- and +++ and compares them with the names of the headers: a
// patch that names two files could show one to a check and change the other.
func (p *parser) gitNames(f *file) error {
	oldName, newName, err := p.names()
	if err != nil {
		return err
	}
	for _, side := range []struct{ mark, raw, want string }{
		{"---", oldName, orElse(f.old, f.path)}, {"+++", newName, f.path},
	} {
		if side.raw == devNull || side.want == "" || side.raw == side.want || stripFirst(side.raw) == side.want {
			continue
		}
		return p.errorf("%s names %q, the lines before it %q", side.mark, side.raw, side.want)
	}
	switch {
	case f.status == "modified" && oldName == devNull:
		f.status = "added"
	case f.status == "modified" && newName == devNull:
		f.status = "deleted"
	}
	if f.path == "" {
		var oldPath string
		oldPath, f.path = pair(oldName, newName)
		if newName == devNull {
			f.path = oldPath
		}
	}
	return nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// combinedFile reads a file of a merge: "diff --cc PATH".
func (p *parser) combinedFile() error {
	_, raw, _ := bytes.Cut(text(p.line)[len("diff --"):], []byte(" "))
	f := file{status: "modified", size: -1}
	var err error
	if f.path, err = unquote(string(raw)); err != nil {
		return p.errorf("%w", err)
	}
	if f.path == "" {
		return p.errorf("want a path")
	}
	for p.next(); !p.eof; p.next() {
		line := text(p.line)
		key, value := header(line)
		if has(line, "mode ") {
			_, f.mode, _ = cut(string(line), "..")
			continue
		}
		switch key {
		case "new file mode":
			f.status, f.mode = "added", value
			continue
		case "deleted file mode":
			f.status = "deleted"
			continue
		case "index", "similarity index", "dissimilarity index":
			continue
		}
		break
	}
	if err := p.binary(&f, text(p.line)); err != nil {
		return err
	}
	if !p.eof && has(p.line, "--- ") {
		if err := p.gitNames(&f); err != nil {
			return err
		}
		if !has(p.line, "@@@ -") && !has(p.line, "@@@@") {
			return p.errorf("%s: want a hunk (@@@ -a,b -c,d +e,f @@@) after +++", f.path)
		}
	}
	return p.hunks(&f)
}

func cut(s, sep string) (before, after string, ok bool) {
	b, a, ok := bytes.Cut([]byte(s), []byte(sep))
	return string(b), string(a), ok
}

// plainFile reads a file of diff -u.
func (p *parser) plainFile() error {
	oldName, newName, err := p.names()
	if err != nil {
		return err
	}
	f := file{status: "modified", size: -1}
	ranges, err := hunkRanges(p.line)
	if err != nil {
		return p.errorf("%w", err)
	}
	oldPath, newPath := pair(oldName, newName)
	f.path = newPath
	switch {
	case oldName == devNull && newName == devNull:
		return p.errorf("--- and +++ both name /dev/null")
	case newName == devNull || ranges.new.zero():
		f.status, f.path = "deleted", oldPath
	case oldName == devNull || ranges.old[0].zero():
		f.status = "added"
	}
	return p.hunks(&f)
}

// plainBinary reads "Binary files A and B differ" of diff -r.
func (p *parser) plainBinary() {
	names := bytes.TrimSuffix(text(p.line)[len("Binary files "):], []byte(" differ"))
	p.next()
	a, b, ok := bytes.Cut(names, []byte(" and "))
	if !ok || len(a) == 0 || len(b) == 0 {
		return // a sentence of a mail
	}
	f := file{status: "modified", binary: true, size: -1}
	f.path = plainBinaryPath(string(a), string(b), &f.status)
	p.out.file(&f)
	p.out.endFile()
}

func plainBinaryPath(a, b string, status *string) string {
	oldPath, newPath := pair(a, b)
	switch {
	case a == devNull:
		*status = "added"
	case b == devNull:
		*status = "deleted"
		return oldPath
	}
	return newPath
}

// names reads the lines --- and +++.
func (p *parser) names() (oldName, newName string, err error) {
	if oldName, err = fileName(text(p.line)[len("--- "):]); err != nil {
		return "", "", p.errorf("---: %w", err)
	}
	p.next()
	if p.eof || !has(p.line, "+++ ") {
		return "", "", p.errorf("want +++ after ---")
	}
	if newName, err = fileName(text(p.line)[len("+++ "):]); err != nil {
		return "", "", p.errorf("+++: %w", err)
	}
	p.next()
	return oldName, newName, nil
}

var errNoPath = errors.New("want a path")

package lint

import (
	"bytes"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

var (
	testName = regexp.MustCompile(`^(Test|Fuzz|Benchmark|Example)([A-Z0-9_].*)?$`)
	testWord = regexp.MustCompile(`\b(Test|Fuzz|Benchmark)[A-Z0-9][A-Za-z0-9_]*`)
	mdLink   = regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)`)
	mdCode   = regexp.MustCompile("`[^`]*`")
)

// Links wants every relative link of every Markdown file to lead to a file (and a heading) that exists, and
// every test that a document names to exist: where a link names a test, in the very file it leads to.
func Links(t *Tree) []Fault {
	var faults []Fault
	tests := declared(t)
	for _, name := range t.Files {
		if path.Ext(name) != ".md" || inTestdata(name) {
			continue
		}
		b, err := t.Read(name)
		if err != nil {
			faults = append(faults, Fault{File: name, Text: err.Error()})
			continue
		}
		n := 0
		fenced := false
		for line := range bytes.Lines(b) {
			n++
			if bytes.HasPrefix(bytes.TrimSpace(line), []byte("```")) {
				fenced = !fenced
			}
			for _, text := range lineLinks(t, name, string(line), fenced, tests) {
				faults = append(faults, Fault{name, n, text})
			}
		}
	}
	return faults
}

func lineLinks(t *Tree, name, line string, fenced bool, tests map[string][]string) (faults []string) {
	for _, word := range testWord.FindAllString(line, -1) {
		if len(tests[word]) == 0 {
			faults = append(faults, "names "+word+", and there is no such test")
		}
	}
	if fenced {
		return faults
	}
	for _, m := range mdLink.FindAllStringSubmatch(line, -1) {
		text, target := m[1], m[2]
		if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
			continue
		}
		file, anchor, _ := strings.Cut(target, "#")
		to := name
		if file != "" {
			to = path.Join(path.Dir(name), file)
		}
		if !t.has(to) {
			faults = append(faults, "links to "+target+", and there is no such file")
			continue
		}
		if anchor != "" && path.Ext(to) == ".md" && !slices.Contains(headings(t, to), anchor) {
			faults = append(faults, "links to "+target+", and "+to+" has no such heading")
		}
		for _, test := range testWord.FindAllString(text, -1) {
			if at := tests[test]; len(at) > 0 && !slices.ContainsFunc(at, func(f string) bool { return under(f, to) }) {
				faults = append(faults, "links "+test+" to "+to+", and it stands in "+strings.Join(at, ", "))
			}
		}
	}
	return faults
}

// has tells whether a file or a folder of this name is in the tree.
func (t *Tree) has(name string) bool {
	i, found := slices.BinarySearch(t.Files, name)
	if found || name == "." {
		return true
	}
	for ; i < len(t.Files) && strings.HasPrefix(t.Files[i], name); i++ {
		if under(t.Files[i], name) {
			return true
		}
	}
	return false
}

// headings are the anchors of a Markdown file: lower case, spaces to dashes, punctuation gone.
func headings(t *Tree, name string) (anchors []string) {
	b, err := t.Read(name)
	if err != nil {
		return nil
	}
	fenced := false
	for line := range bytes.Lines(b) {
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, "```") {
			fenced = !fenced
		}
		if title := strings.TrimLeft(text, "#"); !fenced && title != text && strings.HasPrefix(title, " ") {
			anchors = append(anchors, anchor(title))
		}
	}
	return anchors
}

func anchor(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(title))
}

// FileMap wants every Go file of the given folders (and what lies below them) in the map of doc, which names
// files in backquotes, and every .go file that doc so names to exist. A bare name belongs to the folder
// that the last table row or heading in backquotes named with a slash at its end.
func FileMap(t *Tree, doc string, dirs ...string) []Fault {
	b, err := t.Read(doc)
	if err != nil {
		return []Fault{{File: doc, Text: err.Error()}}
	}
	var faults []Fault
	named := map[string]bool{}
	dir, n := "", 0
	for line := range bytes.Lines(b) {
		n++
		for _, code := range mdCode.FindAllString(string(line), -1) {
			word := strings.Trim(code, "`")
			if strings.HasSuffix(word, "/") {
				dir = path.Clean(word)
				continue
			}
			if path.Ext(word) != ".go" || strings.ContainsAny(word, " *(") {
				continue
			}
			file := word
			if !strings.Contains(word, "/") && dir != "" {
				file = path.Join(dir, word)
			}
			named[file] = true
			if !t.has(file) {
				faults = append(faults, Fault{doc, n, "names " + file + ", and there is no such file"})
			}
		}
	}
	for _, in := range slices.Sorted(maps.Keys(t.Packages)) {
		if member(dirs, in) == "" {
			continue
		}
		for _, f := range t.Packages[in].Files {
			if !f.Test && !named[f.Path] {
				faults = append(faults, Fault{File: f.Path, Text: "is not in the file map of " + doc + ": say there what it holds, in one line"})
			}
		}
	}
	return faults
}

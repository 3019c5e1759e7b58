package lint

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
)

// MaxLines is the most lines a source or text file may have.
const MaxLines = 800

// The patterns are written in pieces, so that this file does not match itself.
var (
	unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)
	thisPlace  = regexp.MustCompile(`(^|[^A-Za-z0-9_.$}/-])/(work|ro` + `ot|home/[a-z]+|Users/[A-Za-z]+|tmp)/[A-Za-z]|\.\./sha` + `red\b`)
)

// generated is how tools mark what they wrote, in any language; the form is that of the go command.
var generated = regexp.MustCompile(`\A(.*\n){0,20}.*Code generated .* DO NOT EDIT\.`)

// textual are the kinds of file that people write. Anything else (wasm, test data, locks) is not looked into.
var textual = []string{".go", ".rs", ".c", ".h", ".md", ".sh", ".txt", ".yaml", ".yml", ".toml", ".mod", ".proto"}

// Text wants short files, nothing left undone, and no mention of a place that only one machine has.
func Text(t *Tree) []Fault {
	var faults []Fault
	for _, name := range t.Files {
		if !readable(name) || inTestdata(name) {
			continue
		}
		b, err := t.Read(name)
		if err != nil {
			faults = append(faults, Fault{File: name, Text: err.Error()})
			continue
		}
		n := 0
		for line := range bytes.Lines(b) {
			n++
			if unfinished.Match(line) {
				faults = append(faults, Fault{name, n, "a note of something left undone: do it, or say in the documents what is not there yet"})
			}
			if m := thisPlace.Find(line); m != nil && !mayNamePlaces(name) {
				faults = append(faults, Fault{name, n, "names " + strings.TrimSpace(string(m)) + ", a place of one machine: the project must stand alone"})
			}
		}
		if n > MaxLines && !generated.Match(b) {
			faults = append(faults, Fault{name, n, "longer than 800 lines: split it by what it holds"})
		}
	}
	return faults
}

func readable(name string) bool {
	return slices.Contains(textual, path.Ext(name)) || path.Base(name) == "Makefile" || name == ".ci/run"
}

// mayNamePlaces is true for tests (a path is data to them) and for the script that runs on the build machine.
func mayNamePlaces(name string) bool {
	return name == ".ci/run" || strings.HasSuffix(name, "_test.go") ||
		path.Base(name) == "tests.rs" || path.Base(path.Dir(name)) == "tests"
}

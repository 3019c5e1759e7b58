package lint

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// marks are the files that make a folder a module, with the tool that builds it.
var marks = map[string]string{"go.mod": "go", "Cargo.toml": "cargo", "package.json": "npm", "Makefile": "make"}

// Nested is one line of modules.txt: a folder that go test ./... in the root does not reach, and how it is tested.
type Nested struct {
	Line    int
	Dir     string
	Tool    string // go, cargo, npm, make
	Command string // run in Dir
}

// ParseModules reads lines of the form "DIR  TOOL  COMMAND". A line that starts with # is a comment.
func ParseModules(file string, src []byte) (map[string]*Nested, error) {
	modules := map[string]*Nested{}
	n := 0
	for line := range bytes.Lines(src) {
		n++
		words := strings.Fields(string(line))
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) < 3 || !slices.Contains(slices.Collect(maps.Values(marks)), words[1]) {
			return nil, fmt.Errorf("%s:%d: want DIR, one of go, cargo, npm, make, and the command that tests it", file, n)
		}
		key := words[0] + " " + words[1]
		if modules[key] != nil {
			return nil, fmt.Errorf("%s:%d: %s is listed twice", file, n, key)
		}
		modules[key] = &Nested{Line: n, Dir: words[0], Tool: words[1], Command: strings.Join(words[2:], " ")}
	}
	return modules, nil
}

// CheckModules compares the list with the tree: go test ./... and cargo test stop at the border of a module,
// so one that nobody names is one that nobody tests. Members of a Cargo workspace are covered by its root; the
// root's own Makefile is what runs the list.
func CheckModules(t *Tree, file string, modules map[string]*Nested) []Fault {
	var faults []Fault
	found := map[string]bool{}
	for _, name := range t.Files {
		tool := marks[path.Base(name)]
		if tool == "" || name == "Makefile" || inTestdata(name) || tool == "cargo" && cargoMember(t, name) {
			continue
		}
		key := path.Dir(name) + " " + tool
		found[key] = true
		if modules[key] == nil {
			faults = append(faults, Fault{File: name, Text: "is not in " + file + ": list it with the command that tests it, or nothing does"})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(modules)) {
		if !found[key] {
			faults = append(faults, Fault{file, modules[key].Line, key + ": no such module: delete the line"})
		}
	}
	return append(faults, replaced(t)...)
}

// cargoMember tells whether a Cargo.toml above name declares a workspace.
func cargoMember(t *Tree, name string) bool {
	for dir := path.Dir(name); dir != "."; {
		dir = path.Dir(dir)
		if b, err := t.Read(path.Join(dir, "Cargo.toml")); err == nil && bytes.Contains(b, []byte("[workspace]")) {
			return true
		}
	}
	return false
}

// replaced finds replace directives in the root go.mod: go install of the command refuses a module that has any.
func replaced(t *Tree) []Fault {
	b, err := t.Read("go.mod")
	if err != nil {
		return []Fault{{File: "go.mod", Text: err.Error()}}
	}
	n := 0
	for line := range bytes.Lines(b) {
		n++
		if words := strings.Fields(string(line)); len(words) > 0 && strings.HasPrefix(words[0], "replace") {
			return []Fault{{"go.mod", n, "replace in the root go.mod: go install of the command would be refused"}}
		}
	}
	return nil
}

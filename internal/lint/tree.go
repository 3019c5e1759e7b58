// Package lint holds the house rules of this repository as code: who may import whom, what must be
// documented, which modules exist and how they are tested, what a document may link to. The rules run as
// ordinary tests, in process, over the parsed source tree. Nothing here shells out: the test cache knows the
// files that a test opens, so a rule is looked at again whenever a file it depends on changes.
//
// The data is apart from the code:
//
//	layers.txt    every package, what it may import, and why; every third-party library and who may use it
//	modules.txt   every go.mod and Cargo.toml, and the command that tests it
//
// A rule reports Faults and never stops at the first one. Each text says what is expected and why.
package lint

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Fault is one broken rule, at a place.
type Fault struct {
	File string // relative to the root of the repository
	Line int    // from 1; 0 = the whole file
	Text string
}

// String is "file:line: text".
func (f Fault) String() string {
	if f.Line == 0 {
		return f.File + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
}

// GoFile is one parsed Go file.
type GoFile struct {
	Path      string
	Test      bool // _test.go, or a file that no supported platform builds (go:build ignore)
	Generated bool // its first lines say so: rules on how code is written do not apply
	Syntax    *ast.File
}

// Package is the Go files of one folder.
type Package struct {
	Dir        string // relative to the root, "." for the root itself
	ImportPath string
	Files      []*GoFile
}

// Tree is the repository: every file, and the Go code parsed. It is read only after Load.
type Tree struct {
	Fset     *token.FileSet
	Files    []string            // every file, sorted, slash separated
	Packages map[string]*Package // by folder
	Modules  map[string]string   // folder of a go.mod -> module path
	fsys     fs.FS
}

// skipped are folders that hold what builds and runs leave behind, as .gitignore says.
var skipped = []string{".git", ".dashhost", "bin", "target", "node_modules", ".idea", ".vscode"}

// Load walks fsys from its root and parses every Go file outside testdata, whatever its build constraints:
// a rule holds on every platform.
func Load(fsys fs.FS) (*Tree, error) {
	t := &Tree{Fset: token.NewFileSet(), Packages: map[string]*Package{}, Modules: map[string]string{}, fsys: fsys}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(skipped, d.Name()):
			return fs.SkipDir
		case d.Type().IsRegular():
			t.Files = append(t.Files, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("source tree: %w", err)
	}
	slices.Sort(t.Files) // a walk puts a/x before a-b
	for _, name := range t.Files {
		if path.Base(name) == "go.mod" {
			if err := t.addModule(name); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range t.Files {
		if path.Ext(name) == ".go" && !inTestdata(name) {
			if err := t.addGoFile(name); err != nil {
				return nil, err
			}
		}
	}
	if len(t.Packages) == 0 {
		return nil, errors.New("source tree: no Go files in it")
	}
	return t, nil
}

// Read returns the content of a file of the tree.
func (t *Tree) Read(name string) ([]byte, error) { return fs.ReadFile(t.fsys, name) }

func (t *Tree) addModule(name string) error {
	b, err := t.Read(name)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(b) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "module "); ok {
			t.Modules[path.Dir(name)] = strings.Trim(strings.TrimSpace(rest), `"`)
			return nil
		}
	}
	return fmt.Errorf("%s: no module line", name)
}

func (t *Tree) addGoFile(name string) error {
	src, err := t.Read(name)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(t.Fset, name, src, parser.ParseComments)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	p := t.Packages[dir]
	if p == nil {
		p = &Package{Dir: dir, ImportPath: t.importPath(dir)}
		t.Packages[dir] = p
	}
	p.Files = append(p.Files, &GoFile{
		Path:      name,
		Test:      strings.HasSuffix(name, "_test.go") || neverBuilt(file),
		Generated: ast.IsGenerated(file),
		Syntax:    file,
	})
	return nil
}

// moduleOf is the folder of the nearest go.mod at or above dir, "." if there is none.
func (t *Tree) moduleOf(dir string) string {
	for at := dir; ; at = path.Dir(at) {
		if _, ok := t.Modules[at]; ok || at == "." {
			return at
		}
	}
}

// importPath joins the folder to the path of its module.
func (t *Tree) importPath(dir string) string {
	at := t.moduleOf(dir)
	if at == "." {
		return path.Join(t.Modules[at], dir)
	}
	return path.Join(t.Modules[at], strings.TrimPrefix(dir, at))
}

// dirOf is the folder of an import path, if it lies in this repository.
func (t *Tree) dirOf(importPath string) (string, bool) {
	best, found := "", false
	for dir, mod := range t.Modules {
		rest, ok := strings.CutPrefix(importPath, mod)
		if ok && (rest == "" || rest[0] == '/') && (!found || len(mod) > len(t.Modules[best])) {
			best, found = dir, true
		}
	}
	if !found {
		return "", false
	}
	return path.Join(best, strings.TrimPrefix(importPath, t.Modules[best])), true
}

// neverBuilt tells whether a go:build line keeps the file out of every build this project knows.
func neverBuilt(file *ast.File) bool {
	for _, group := range file.Comments {
		if group.Pos() > file.Package {
			break
		}
		for _, c := range group.List {
			if !constraint.IsGoBuild(c.Text) {
				continue
			}
			expr, err := constraint.Parse(c.Text)
			return err == nil && !satisfiable(expr)
		}
	}
	return false
}

// satisfiable tries the platforms that the project builds for, each with and without the race detector.
func satisfiable(expr constraint.Expr) bool {
	for _, goos := range []string{"linux", "darwin", "windows", "wasip1"} {
		for _, goarch := range []string{"amd64", "arm64", "wasm"} {
			for _, race := range []bool{false, true} {
				if expr.Eval(func(tag string) bool {
					return tag == goos || tag == goarch || tag == "race" && race ||
						tag == "unix" && (goos == "linux" || goos == "darwin") ||
						tag == "gc" || strings.HasPrefix(tag, "go1.")
				}) {
					return true
				}
			}
		}
	}
	return false
}

func inTestdata(name string) bool {
	return slices.Contains(strings.Split(path.Dir(name), "/"), "testdata")
}

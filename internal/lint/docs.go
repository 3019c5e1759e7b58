package lint

import (
	"go/ast"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// sentenceEnd is a full stop (or its kin) that ends a sentence: followed by space or by the end of the text.
var sentenceEnd = regexp.MustCompile(`[.!?:]["')]?(\s|$)`)

// PackageComments wants a comment of at least two sentences on every package, internal ones and commands too,
// that says more than the name does. It stands in exactly one file.
func PackageComments(t *Tree) []Fault {
	var faults []Fault
	for _, dir := range slices.Sorted(maps.Keys(t.Packages)) {
		var docs []string
		var at string
		testOnly := true
		for _, f := range t.Packages[dir].Files {
			testOnly = testOnly && f.Test
			if text := f.Syntax.Doc.Text(); text != "" && (!f.Test || testOnly) {
				docs, at = append(docs, text), f.Path
			}
		}
		first := t.Packages[dir].Files[0]
		name := strings.TrimSuffix(first.Syntax.Name.Name, "_test")
		switch {
		case len(docs) == 0:
			faults = append(faults, Fault{File: first.Path, Text: "package " + dir + " has no package comment: say what it is for, what it is not, and draw its formats"})
		case len(docs) > 1:
			faults = append(faults, Fault{File: at, Text: "package " + dir + " has a package comment in more than one file: keep one, so that a reader knows where to look"})
		case len(sentenceEnd.FindAllString(docs[0], -1)) < 2:
			faults = append(faults, Fault{File: at, Text: "the comment of package " + dir + " is shorter than two sentences: say what it is for and what it leaves to others"})
		case name != "main" && !strings.HasPrefix(docs[0], "Package "+name+" "):
			faults = append(faults, Fault{File: at, Text: "the comment of package " + dir + " does not start with \"Package " + name + " \", as go doc expects"})
		}
	}
	return faults
}

// Exported wants a comment on every exported name of every package but commands: what it is, in which unit,
// safe for whom. Generated files are left out. A comment on a group of constants or variables covers the group, and the comment of an
// exported type covers the constants that enumerate it.
func Exported(t *Tree) []Fault {
	var faults []Fault
	for _, dir := range slices.Sorted(maps.Keys(t.Packages)) {
		for _, f := range t.Packages[dir].Files {
			if f.Test || f.Syntax.Name.Name == "main" || f.Generated {
				continue
			}
			for _, id := range undocumented(f.Syntax) {
				faults = append(faults, Fault{f.Path, t.Fset.Position(id.Pos()).Line,
					"exported name " + id.Name + " has no comment: other people meet it first in go doc"})
			}
		}
	}
	return faults
}

func undocumented(file *ast.File) (ids []*ast.Ident) {
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc.Text() == "" && exportedReceiver(d) && !standardMethod(d) {
				ids = append(ids, d.Name)
			}
		case *ast.GenDecl:
			ids = append(ids, undocumentedSpecs(d)...)
		}
	}
	return ids
}

func undocumentedSpecs(d *ast.GenDecl) (ids []*ast.Ident) {
	if enumerates(d) {
		return nil
	}
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && d.Doc.Text() == "" && s.Doc.Text() == "" {
				ids = append(ids, s.Name)
			}
		case *ast.ValueSpec:
			if d.Doc.Text() != "" || s.Doc.Text() != "" || s.Comment.Text() != "" {
				continue
			}
			for _, name := range s.Names {
				if name.IsExported() {
					ids = append(ids, name)
				}
			}
		}
	}
	return ids
}

// enumerates tells whether d is a group of constants of one exported type, which has a comment of its own.
func enumerates(d *ast.GenDecl) bool {
	if d.Tok != token.CONST || !d.Lparen.IsValid() || len(d.Specs) == 0 {
		return false
	}
	first := d.Specs[0].(*ast.ValueSpec)
	typ, ok := first.Type.(*ast.Ident)
	return ok && typ.IsExported()
}

// exportedReceiver is false for methods of types that nobody outside the package can name.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		case *ast.Ident:
			return t.IsExported()
		default:
			return true
		}
	}
}

// standardMethod names the methods whose meaning the standard library fixes.
func standardMethod(d *ast.FuncDecl) bool {
	return d.Recv != nil && slices.Contains([]string{"Error", "Unwrap", "Is", "String", "Len", "Less", "Swap"}, d.Name.Name)
}

// Shape looks at what a comment cannot repair: init functions, dot imports, and package names that say nothing.
func Shape(t *Tree) []Fault {
	var faults []Fault
	for _, dir := range slices.Sorted(maps.Keys(t.Packages)) {
		for _, f := range t.Packages[dir].Files {
			if f.Generated {
				continue
			}
			for _, decl := range f.Syntax.Decls {
				d, ok := decl.(*ast.FuncDecl)
				if ok && d.Recv == nil && d.Name.Name == "init" {
					faults = append(faults, Fault{f.Path, t.Fset.Position(d.Pos()).Line,
						"func init: work at import time cannot be configured, ordered or tested; do it where it is asked for"})
				}
			}
			for _, spec := range f.Syntax.Imports {
				if spec.Name != nil && spec.Name.Name == "." {
					faults = append(faults, Fault{f.Path, t.Fset.Position(spec.Pos()).Line, "dot import: a reader cannot tell where a name comes from"})
				}
			}
		}
		switch base := path.Base(dir); base {
		case "util", "utils", "common", "types", "manager", "helper", "helpers", "misc", "shared":
			faults = append(faults, Fault{File: t.Packages[dir].Files[0].Path, Text: "package name " + base + " says nothing: name it after what it holds"})
		}
	}
	return faults
}

// declared lists the test, fuzz, benchmark and example functions of the tree, with the file each stands in.
func declared(t *Tree) map[string][]string {
	names := map[string][]string{}
	for _, p := range t.Packages {
		for _, f := range p.Files {
			for _, decl := range f.Syntax.Decls {
				d, ok := decl.(*ast.FuncDecl)
				if ok && d.Recv == nil && testName.MatchString(d.Name.Name) && token.IsExported(d.Name.Name) {
					names[d.Name.Name] = append(names[d.Name.Name], f.Path)
				}
			}
		}
	}
	return names
}

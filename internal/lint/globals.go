package lint

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
)

// Globals wants no package variable of the root module to change after it was made: what changes belongs to a
// value that somebody owns, or two users of a package in one program disturb each other. Guests are left out:
// a wasm export is a plain function, and finds its node in a variable.
func Globals(t *Tree) []Fault {
	var faults []Fault
	for _, dir := range slices.Sorted(maps.Keys(t.Packages)) {
		if t.moduleOf(dir) != "." {
			continue
		}
		p := t.Packages[dir]
		vars := packageVars(p)
		for _, f := range p.Files {
			if f.Test || f.Generated {
				continue
			}
			ast.Inspect(f.Syntax, func(n ast.Node) bool {
				for _, target := range targets(n) {
					if id := rootIdent(target); id != nil && id.Name != "_" && vars[id.Name] && global(f.Syntax, id) {
						faults = append(faults, Fault{f.Path, t.Fset.Position(id.Pos()).Line,
							"changes the package variable " + id.Name + ": keep it in a value with an owner"})
					}
				}
				return true
			})
		}
	}
	return faults
}

func packageVars(p *Package) map[string]bool {
	vars := map[string]bool{}
	for _, f := range p.Files {
		for _, decl := range f.Syntax.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok || d.Tok != token.VAR || f.Test {
				continue
			}
			for _, spec := range d.Specs {
				for _, id := range spec.(*ast.ValueSpec).Names {
					vars[id.Name] = true
				}
			}
		}
	}
	return vars
}

// targets are the expressions that a statement writes to.
func targets(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "delete" || id.Name == "clear") && len(n.Args) > 0 {
			return n.Args[:1]
		}
	}
	return nil
}

// rootIdent is x in x, x.f, x[i], *x and their combinations.
func rootIdent(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// global tells whether id means the package's variable: the parser found no declaration of it in the file, or
// the one at the top level.
func global(file *ast.File, id *ast.Ident) bool {
	return id.Obj == nil || id.Obj == file.Scope.Lookup(id.Name)
}

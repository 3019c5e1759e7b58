package lint

import (
	"strings"
	"testing"
	"testing/fstest"
)

// Every rule is shown a small tree that breaks it, and one that keeps it: a check that cannot fail is none.

const layersText = `
package a
    imports b
    never   os net/...
    why     a is thin
package b
    tests   a
    why     b is a leaf
library example.org/lib
    in      b
    tests   a
    why     one importer
apart a c
    why     two halves
`

func load(t *testing.T, files map[string]string) *Tree {
	t.Helper()
	fsys := fstest.MapFS{"go.mod": {Data: []byte("module example.com/m\n")}}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	tree, err := Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// expect wants exactly one fault that contains all the words, or none if there are no words.
func expect(t *testing.T, faults []Fault, words ...string) {
	t.Helper()
	if len(words) == 0 {
		report(t, faults)
		return
	}
	if len(faults) != 1 {
		t.Fatalf("got %d faults %v, want one", len(faults), faults)
	}
	for _, word := range words {
		if !strings.Contains(faults[0].String(), word) {
			t.Errorf("fault %q does not say %q", faults[0], word)
		}
	}
}

func TestLayersRule(t *testing.T) {
	const leaf = "package b\n\nimport _ \"example.org/lib/sub\"\n"
	const thin = "package a\n\nimport _ \"example.com/m/b\"\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"kept", map[string]string{"b/b_test.go": "package b\n\nimport _ \"example.com/m/a\"\n"}, nil},
		{"package may not", map[string]string{"b/x.go": "package b\n\nimport _ \"example.com/m/a\"\n"}, []string{"b/x.go:3", "b may not import a", "layers.txt:6", "b is a leaf"}},
		{"on another platform", map[string]string{"b/x_windows.go": "package b\n\nimport _ \"example.com/m/a\"\n"}, []string{"b/x_windows.go:3", "b may not import a"}},
		{"library may not", map[string]string{"a/x.go": "package a\n\nimport _ \"example.org/lib\"\n"}, []string{"a/x.go:3", "example.org/lib", "one importer"}},
		{"library in a test", map[string]string{"a/x_test.go": "package a\n\nimport _ \"example.org/lib\"\n"}, nil},
		{"library unlisted", map[string]string{"a/x.go": "package a\n\nimport _ \"example.org/library\"\n"}, []string{"example.org/library is not in"}},
		{"never", map[string]string{"a/x.go": "package a\n\nimport _ \"net/http\"\n"}, []string{"a may not import net/http", "a is thin"}},
		{"unlisted package", map[string]string{"d/d.go": "package d\n"}, []string{"package d is not in"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"a/a.go": thin, "b/b.go": leaf}
			for name, text := range c.files {
				files[name] = text
			}
			rules, err := ParseLayers("layers.txt", []byte(layersText))
			if err != nil {
				t.Fatal(err)
			}
			expect(t, rules.Check(load(t, files)), c.want...)
		})
	}
}

func TestLayersApartThroughThird(t *testing.T) {
	rules, err := ParseLayers("layers.txt", []byte("package a\n imports b\n why x\npackage b\n imports c/d\n why x\npackage c/d\n why x\napart a c\n why two halves\n"))
	if err != nil {
		t.Fatal(err)
	}
	tree := load(t, map[string]string{
		"a/a.go":   "package a\n\nimport _ \"example.com/m/b\"\n",
		"b/b.go":   "package b\n\nimport _ \"example.com/m/c/d\"\n",
		"c/d/d.go": "package d\n",
	})
	expect(t, rules.Check(tree), "a reaches c", "a -> b -> c/d", "two halves")
}

func TestLayersStale(t *testing.T) {
	rules, err := ParseLayers("layers.txt", []byte("package a\n why x\npackage gone\n why x\n"))
	if err != nil {
		t.Fatal(err)
	}
	expect(t, rules.Check(load(t, map[string]string{"a/a.go": "package a\n"})), "layers.txt:3", "gone does not exist")
}

func TestLayersParseFaults(t *testing.T) {
	for _, text := range []string{
		"", "package a\n", "package a\n why x\npackage a\n why x\n", "package a\n imports b\n imports c\n why x\n",
		"  imports b\n", "package a\n in b\n why x\n", "pakage a\n why x\n", "apart a b\n", "package a b\n why x\n",
	} {
		if _, err := ParseLayers("layers.txt", []byte(text)); err == nil {
			t.Errorf("accepted %q", text)
		}
	}
}

func TestPackageCommentsRule(t *testing.T) {
	const good = "// Package a is good. It leaves the rest to others.\npackage a\n"
	expect(t, PackageComments(load(t, map[string]string{"a/a.go": good, "a/b.go": "package a\n"})))
	expect(t, PackageComments(load(t, map[string]string{"a/a.go": "package a\n"})), "no package comment")
	expect(t, PackageComments(load(t, map[string]string{"a/a.go": "// Package a is short.\npackage a\n"})), "two sentences")
	expect(t, PackageComments(load(t, map[string]string{"a/a.go": "// This is a. It is good.\npackage a\n"})), "Package a ")
	expect(t, PackageComments(load(t, map[string]string{"a/a.go": good, "a/b.go": good})), "more than one file")
}

func TestExportedRule(t *testing.T) {
	documented := "package a\n\n// T is.\ntype T int\n\n// M does.\nfunc (T) M() {}\n\ntype u int\n\nfunc (u) M() {}\n\n// All.\nconst (\n\tA = 1\n)\n\nvar B = 1 // is one\n\nconst (\n\tC T = iota\n\tD\n)\n"
	expect(t, Exported(load(t, map[string]string{"a/a.go": documented})))
	for _, decl := range []string{"type T int", "func F() {}", "type t int\n\n// T is.\ntype T int\n\nfunc (*T) M() {}", "const C = 1", "var V int"} {
		expect(t, Exported(load(t, map[string]string{"a/a.go": "package a\n\n" + decl + "\n"})), "has no comment")
	}
}

func TestShapeRule(t *testing.T) {
	expect(t, Shape(load(t, map[string]string{"a/a.go": "package a\n\ntype T int\n\nfunc (T) init() {}\n"})))
	expect(t, Shape(load(t, map[string]string{"a/a.go": "package a\n\nfunc init() {}\n"})), "func init")
	expect(t, Shape(load(t, map[string]string{"a/a.go": "// Code generated by x. DO NOT EDIT.\n\npackage a\n\nfunc init() {}\n"})))
	expect(t, Shape(load(t, map[string]string{"a/a.go": "package a\n\nimport . \"os\"\n"})), "dot import")
	expect(t, Shape(load(t, map[string]string{"util/a.go": "package util\n"})), "says nothing")
}

func TestGlobalsRule(t *testing.T) {
	const vars = "package a\n\nvar n int\n\nvar m = map[int]int{1: 1}\n"
	keep := "package a\n\nfunc f(n int) { n = 1; m := []int{0}; m[0]++ }\n"
	expect(t, Globals(load(t, map[string]string{"a/a.go": vars, "a/b.go": keep, "a/b_test.go": "package a\n\nfunc g() { n = 1 }\n"})))
	for _, change := range []string{"n = 1", "n++", "m[2] = 2", "delete(m, 1)", "clear(m)", "x, n := 1, 2; m[x], n = n, x"} {
		expect(t, Globals(load(t, map[string]string{"a/a.go": vars, "a/b.go": "package a\n\nfunc f() { " + change + " }\n"})), "a/b.go:3", "changes")
		expect(t, Globals(load(t, map[string]string{"a/a.go": vars + "\nfunc f() { " + change + " }\n"})), "a/a.go:7", "changes")
	}
	expect(t, Globals(load(t, map[string]string{"sdk/go.mod": "module example.com/sdk\n", "sdk/a.go": vars + "\nfunc f() { n = 1 }\n"})))
}

func TestTextRule(t *testing.T) {
	good := map[string]string{"a/a.go": "package a\n\n// see https://example.org/work/root and ${DIR}/tmp, not a place\n"}
	expect(t, Text(load(t, good)))
	for _, line := range []string{"// TO" + "DO: later", "// in /wo" + "rk/main", "// see ../sha" + "red/X.md", "// /ro" + "ot/x"} {
		expect(t, Text(load(t, map[string]string{"a/a.go": "package a\n\n" + line + "\n"})), "a/a.go:3")
	}
	long := "package a\n" + strings.Repeat("\n", MaxLines)
	expect(t, Text(load(t, map[string]string{"a/a.go": long})), "800 lines")
	expect(t, Text(load(t, map[string]string{"a/a.go": "// Code generated by x. DO NOT EDIT.\n\n" + long})))
}

func TestModulesRule(t *testing.T) {
	files := map[string]string{
		"a/a.go":              "package a\n",
		"sdk/go/go.mod":       "module example.com/sdk\n",
		"sdk/rust/Cargo.toml": "[workspace]\n", "sdk/rust/x/Cargo.toml": "[package]\n",
		"a/testdata/go.mod":   "module example.com/t\n",
		"sdk/js/package.json": "{}\n", "Makefile": "all:\n",
	}
	list := ". go go test\nsdk/go go go test\nsdk/rust cargo cargo test\nsdk/js npm npm test\n"
	for _, c := range []struct {
		list string
		want []string
	}{
		{list, nil},
		{strings.Replace(list, "sdk/go go go test\n", "", 1), []string{"sdk/go/go.mod", "nothing does"}},
		{list + "gone go go test\n", []string{"gone", "no such module"}},
	} {
		modules, err := ParseModules("modules.txt", []byte(c.list))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, CheckModules(load(t, files), "modules.txt", modules), c.want...)
	}
	files["go.mod"] = "module example.com/m\n\nreplace x => y\n"
	modules, err := ParseModules("modules.txt", []byte(list))
	if err != nil {
		t.Fatal(err)
	}
	expect(t, CheckModules(load(t, files), "modules.txt", modules), "go.mod:3", "replace")
	for _, bad := range []string{"a go\n", "a java mvn test\n", "a go x\na go y\n"} {
		if _, err := ParseModules("modules.txt", []byte(bad)); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}

func TestLinksRule(t *testing.T) {
	tree := func(line string) *Tree {
		return load(t, map[string]string{
			"a/a.go":      "package a\n",
			"a/a_test.go": "package a\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) {}\n",
			"a/b_test.go": "package a\n",
			"README.md":   "# One, two\n\n" + line + "\n",
		})
	}
	for _, good := range []string{"[TestA](a/a_test.go)", "[a](a)", "[x](#one-two)", "[y](https://example.org/z)", "plain", "`TestA`"} {
		expect(t, Links(tree(good)))
	}
	expect(t, Links(tree("[x](a/c.go)")), "README.md:3", "no such file")
	expect(t, Links(tree("[x](#three)")), "no such heading")
	expect(t, Links(tree("`TestB`")), "no such test")
	expect(t, Links(tree("[TestA](a/b_test.go)")), "stands in a/a_test.go")
}

func TestNamesRule(t *testing.T) {
	a := "package a\n"
	expect(t, Names(load(t, map[string]string{"a/a.go": a, "a/testdata/null.yaml": ""})))
	expect(t, Names(load(t, map[string]string{"a/a.go": a, "n/go.mod": "module example.com/n\n", "n/nul.yaml": ""})))
	expect(t, Names(load(t, map[string]string{"a/a.go": a, "a/testdata/nul.yaml": ""})), "a/testdata/nul.yaml", "device")
	expect(t, Names(load(t, map[string]string{"a/a.go": a, "COM1/x": ""})), "COM1", "device")
	expect(t, Names(load(t, map[string]string{"a/a.go": a, "a/x.": ""})), "a dot")
	expect(t, Names(load(t, map[string]string{"a/a.go": a, "a/why?": ""})), "not allowed")
	expect(t, Names(load(t, map[string]string{"a/a.go": a, "a/A.go.txt": "", "a/a.go.txt": ""})), "by case only")
}

func TestFileMapRule(t *testing.T) {
	tree := func(line string) *Tree {
		return load(t, map[string]string{"a/a.go": "package a\n", "a/a_test.go": "package a\n", "b/b.go": "package b\n", "D.md": line + "\n"})
	}
	expect(t, FileMap(tree("`a/a.go`"), "D.md", "a"))
	expect(t, FileMap(tree("`a/`: `a.go`"), "D.md", "a"))
	expect(t, FileMap(tree("nothing"), "D.md", "a"), "not in the file map")
	expect(t, FileMap(tree("`a/a.go` `a/z.go`"), "D.md", "a"), "no such file")
}

func TestLoadNeedsGoFiles(t *testing.T) {
	if _, err := Load(fstest.MapFS{"README.md": {Data: []byte("x")}}); err == nil {
		t.Error("a tree without Go files loads: every rule would pass on nothing")
	}
}

package lint

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Rule says what one package may import, or who may import one library.
type Rule struct {
	Name    string
	Line    int      // in layers.txt
	Imports []string // package: folders its code may import
	In      []string // library: folders whose code may import it
	Tests   []string // package: what its tests may import besides; library: whose tests may; "*" = all
	Never   []string // package: standard library packages it must do without
	Why     string
}

// Apart is a set of packages, each with what lies below it, of which none may reach another.
type Apart struct {
	Line  int
	Names []string
	Why   string
}

// Layers is the content of layers.txt.
type Layers struct {
	File      string
	Packages  map[string]*Rule
	Libraries map[string]*Rule
	Aparts    []*Apart
}

// ParseLayers reads rules. The form is
//
//	package DIR               library PATH             apart DIR DIR ...
//	    imports DIR ...           in    DIR ...            why TEXT
//	    tests   DIR ... | *       tests DIR ... | *
//	    never   STD ...           why   TEXT
//	    why     TEXT
//
// A line that starts with # is a comment. A rule without a why is a fault.
func ParseLayers(file string, src []byte) (*Layers, error) {
	l := &Layers{File: file, Packages: map[string]*Rule{}, Libraries: map[string]*Rule{}}
	var field func(key string, words []string) bool
	for i, line := range strings.Split(string(src), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		ok := false
		if line[0] != ' ' && line[0] != '\t' {
			field = l.open(i+1, words)
			ok = field != nil
		} else if field != nil {
			ok = field(words[0], words[1:])
		}
		if !ok {
			return nil, fmt.Errorf("%s:%d: %q: unknown, misplaced or given twice", file, i+1, strings.TrimSpace(line))
		}
	}
	return l, l.complete()
}

// open starts a block and returns what takes its fields, nil if the line opens nothing.
func (l *Layers) open(line int, words []string) func(string, []string) bool {
	if words[0] == "apart" && len(words) > 2 {
		a := &Apart{Line: line, Names: words[1:]}
		l.Aparts = append(l.Aparts, a)
		return func(key string, words []string) bool {
			return key == "why" && once(&a.Why, strings.Join(words, " "))
		}
	}
	if len(words) != 2 {
		return nil
	}
	r := &Rule{Name: words[1], Line: line}
	switch table := map[string]map[string]*Rule{"package": l.Packages, "library": l.Libraries}[words[0]]; {
	case table == nil || table[r.Name] != nil:
		return nil
	default:
		table[r.Name] = r
	}
	lists := map[string]*[]string{"tests": &r.Tests}
	if words[0] == "package" {
		lists["imports"], lists["never"] = &r.Imports, &r.Never
	} else {
		lists["in"] = &r.In
	}
	return func(key string, words []string) bool {
		if key == "why" {
			return once(&r.Why, strings.Join(words, " "))
		}
		list := lists[key]
		if list == nil || *list != nil {
			return false
		}
		*list = words
		return true
	}
}

func once(dst *string, text string) bool {
	was := *dst
	*dst = text
	return was == "" && text != ""
}

func (l *Layers) complete() error {
	for _, table := range []map[string]*Rule{l.Packages, l.Libraries} {
		for _, r := range table {
			if r.Why == "" {
				return fmt.Errorf("%s:%d: %s: a rule needs a why", l.File, r.Line, r.Name)
			}
		}
	}
	for _, a := range l.Aparts {
		if a.Why == "" {
			return fmt.Errorf("%s:%d: apart: a rule needs a why", l.File, a.Line)
		}
	}
	if len(l.Packages) == 0 {
		return fmt.Errorf("%s: no package rule in it", l.File)
	}
	return nil
}

// Check compares the imports of the tree with the rules.
func (l *Layers) Check(t *Tree) []Fault {
	var faults []Fault
	used := map[string]bool{}
	for _, dir := range slices.Sorted(maps.Keys(t.Packages)) {
		p := t.Packages[dir]
		rule := l.Packages[dir]
		if rule == nil {
			faults = append(faults, Fault{File: p.Files[0].Path, Text: "package " + dir + " is not in " + l.File +
				": add it with what it may import and why, so that a new dependency between packages is a decision"})
			continue
		}
		for _, f := range p.Files {
			for _, spec := range f.Syntax.Imports {
				name, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					continue // the parser has refused such a file
				}
				if text := l.refuse(t, rule, f.Test, name, used); text != "" {
					faults = append(faults, Fault{f.Path, t.Fset.Position(spec.Pos()).Line, text})
				}
			}
		}
	}
	return append(append(faults, l.checkAparts(t)...), l.stale(t, used)...)
}

// refuse returns why the package of rule may not import name, or "".
func (l *Layers) refuse(t *Tree, rule *Rule, test bool, name string, used map[string]bool) string {
	if dir, ok := t.dirOf(name); ok {
		if dir == rule.Name || slices.Contains(rule.Imports, dir) || test && within(rule.Tests, dir) {
			return ""
		}
		return fmt.Sprintf("%s may not import %s (%s:%d lists what it may). Why: %s", rule.Name, dir, l.File, rule.Line, rule.Why)
	}
	if !strings.Contains(strings.Split(name, "/")[0], ".") { // the standard library has no dot in its first element
		if within(rule.Never, name) && !test {
			return fmt.Sprintf("%s may not import %s (%s:%d says never). Why: %s", rule.Name, name, l.File, rule.Line, rule.Why)
		}
		return ""
	}
	lib := l.library(name)
	if lib == nil {
		return fmt.Sprintf("library %s is not in %s: add it with its importers and why it is worth having, there and in RATIONALE.md", name, l.File)
	}
	used[lib.Name] = true
	if within(lib.In, rule.Name) || test && within(lib.Tests, rule.Name) {
		return ""
	}
	return fmt.Sprintf("%s may not import %s (%s:%d lists who may). Why: %s", rule.Name, name, l.File, lib.Line, lib.Why)
}

// library is the rule with the longest path that name lies under.
func (l *Layers) library(name string) (best *Rule) {
	for lib, r := range l.Libraries {
		if under(name, lib) && (best == nil || len(lib) > len(best.Name)) {
			best = r
		}
	}
	return best
}

// checkAparts follows the code's imports (not those of tests) to the end: a detour through a third package
// joins two halves just as well.
func (l *Layers) checkAparts(t *Tree) []Fault {
	var faults []Fault
	for _, a := range l.Aparts {
		for _, dir := range slices.Sorted(maps.Keys(t.Packages)) {
			home := member(a.Names, dir)
			if home == "" {
				continue
			}
			for _, chain := range reach(t, dir) {
				to := member(a.Names, chain[len(chain)-1])
				if to != "" && to != home {
					faults = append(faults, Fault{t.Packages[dir].Files[0].Path, 0, fmt.Sprintf(
						"%s reaches %s (%s), and %s:%d keeps them apart. Why: %s",
						home, to, strings.Join(chain, " -> "), l.File, a.Line, a.Why)})
				}
			}
		}
	}
	return faults
}

// reach lists, for every package that the code of dir imports, directly or not, the shortest chain to it.
func reach(t *Tree, dir string) [][]string {
	var chains [][]string
	seen := map[string]bool{dir: true}
	for queue := [][]string{{dir}}; len(queue) > 0; queue = queue[1:] {
		chain := queue[0]
		for _, next := range codeImports(t, chain[len(chain)-1]) {
			if !seen[next] {
				seen[next] = true
				longer := append(slices.Clone(chain), next)
				chains = append(chains, longer)
				queue = append(queue, longer)
			}
		}
	}
	return chains
}

func codeImports(t *Tree, dir string) (dirs []string) {
	p := t.Packages[dir]
	if p == nil {
		return nil
	}
	for _, f := range p.Files {
		if f.Test {
			continue
		}
		for _, spec := range f.Syntax.Imports {
			if to, ok := t.dirOf(strings.Trim(spec.Path.Value, "`\"")); ok {
				dirs = append(dirs, to)
			}
		}
	}
	return dirs
}

// stale reports rules that nothing needs any more, so that the file says what is, not what was.
func (l *Layers) stale(t *Tree, used map[string]bool) []Fault {
	var faults []Fault
	for _, name := range slices.Sorted(maps.Keys(l.Packages)) {
		if t.Packages[name] == nil {
			faults = append(faults, Fault{l.File, l.Packages[name].Line, "package " + name + " does not exist: delete its rule"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Libraries)) {
		if !used[name] {
			faults = append(faults, Fault{l.File, l.Libraries[name].Line, "nobody imports " + name + ": delete its rule, and its line in go.mod"})
		}
	}
	return faults
}

// within tells whether name is in the list: as itself, below an entry "x/...", or by "*".
func within(list []string, name string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		tree, wide := strings.CutSuffix(entry, "/...")
		return entry == "*" || entry == name || wide && under(name, tree)
	})
}

// member is the entry of names that dir is or lies under.
func member(names []string, dir string) string {
	for _, name := range names {
		if under(dir, name) {
			return name
		}
	}
	return ""
}

func under(name, root string) bool {
	return name == root || strings.HasPrefix(name, path.Clean(root)+"/")
}

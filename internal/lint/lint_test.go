package lint

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// root is the repository, seen from this folder.
const root = "../.."

var loadRepository = sync.OnceValues(func() (*Tree, error) { return Load(os.DirFS(root)) })

func repository(t *testing.T) *Tree {
	t.Helper()
	tree, err := loadRepository()
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func report(t *testing.T, faults []Fault) {
	t.Helper()
	for _, f := range faults {
		t.Error(f)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLayers(t *testing.T) {
	rules, err := ParseLayers("internal/lint/layers.txt", read(t, "layers.txt"))
	if err != nil {
		t.Fatal(err)
	}
	report(t, rules.Check(repository(t)))
}

func TestModules(t *testing.T) {
	list, err := ParseModules("internal/lint/modules.txt", read(t, "modules.txt"))
	if err != nil {
		t.Fatal(err)
	}
	report(t, CheckModules(repository(t), "internal/lint/modules.txt", list))
}

func TestPackageComments(t *testing.T) { report(t, PackageComments(repository(t))) }

func TestExportedNamesDocumented(t *testing.T) { report(t, Exported(repository(t))) }

func TestShape(t *testing.T) { report(t, Shape(repository(t))) }

func TestGlobalsDoNotChange(t *testing.T) { report(t, Globals(repository(t))) }

func TestText(t *testing.T) { report(t, Text(repository(t))) }

func TestNames(t *testing.T) { report(t, Names(repository(t))) }

func TestLinks(t *testing.T) { report(t, Links(repository(t))) }

func TestFileMap(t *testing.T) {
	report(t, FileMap(repository(t), "DESIGN.md", "internal/engine", "guest", "checkpoint"))
}

// The commands that README shows are the ones that the build runs, so that they cannot rot.
func TestReadmeCommandsAreBuilt(t *testing.T) {
	readme, script := string(read(t, root+"/README.md")), string(read(t, root+"/.ci/run"))
	for _, command := range []string{"go run ./cmd/dashhost run examples/merge-gate/workflow.yaml", "go test ./..."} {
		if !strings.Contains(readme, command) {
			t.Errorf("README.md: does not show %q", command)
		}
		if !strings.Contains(script, command) {
			t.Errorf(".ci/run: does not run %q, which README.md shows", command)
		}
	}
}

// The program that README tells its reader to save is examples/order, which runs in a test: the first block of each
// language is the file, byte by byte.
func TestReadmeCodeRuns(t *testing.T) {
	readme := string(read(t, root+"/README.md"))
	for language, file := range map[string]string{"go": "examples/order/main.go", "yaml": "examples/order/workflow.yaml"} {
		_, rest, found := strings.Cut(readme, "```"+language+"\n")
		block, _, closed := strings.Cut(rest, "```")
		if !found || !closed {
			t.Errorf("README.md: no block of %s in it", language)
		} else if block != string(read(t, root+"/"+file)) {
			t.Errorf("README.md: its first block of %s is not %s", language, file)
		}
	}
}

// Each target of the Makefile is listed by make help, and is declared as what it is: not a file.
func TestMakeTargets(t *testing.T) {
	var declared, described []string
	for line := range strings.Lines(string(read(t, root+"/Makefile"))) {
		if rest, ok := strings.CutPrefix(line, ".PHONY:"); ok {
			declared = append(declared, strings.Fields(rest)...)
		}
		target, rest, ok := strings.Cut(line, ":")
		if ok && strings.Contains(rest, "##") && !strings.ContainsAny(target, " \t#") {
			described = append(described, target)
		}
	}
	slices.Sort(declared)
	slices.Sort(described)
	if len(described) == 0 || !slices.Equal(declared, described) {
		t.Errorf("Makefile: .PHONY lists %q, and these have a description (target: ## text): %q", declared, described)
	}
}

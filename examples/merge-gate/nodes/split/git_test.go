package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Git makes the patch and is the oracle: every added line must stand where split says it does in the file git
// has, and counts must be those of git diff --numstat.
func TestAddedLinesAreThoseOfGit(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := repository{t: t, git: git, dir: t.TempDir(), rand: rand.New(rand.NewPCG(seed, 7))}
			r.run("init", "-q", ".")
			r.fill()
			r.run("add", "-A")
			r.run("commit", "-q", "-m", "before")
			r.change()
			r.run("add", "-A")
			for _, args := range [][]string{{"-M"}, {"-M", "-C", "--find-copies-harder", "--binary"}, {"--no-renames", "--no-prefix"}, {"-U0", "--src-prefix=old/", "--dst-prefix=new/"}} {
				r.compare(args...)
			}
		})
	}
}

type repository struct {
	t        *testing.T
	git, dir string
	rand     *rand.Rand
}

func (r *repository) run(args ...string) string {
	r.t.Helper()
	cmd := exec.Command(r.git, args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("git %v: %v", args, err)
	}
	return string(out)
}

var names = []string{
	"plain.go", "dir/with space.txt", "b/a/b", "tab\there", "quote\"d", "back\\slash", "ümläut/文.md", "dash -- b/x", "a b/a b", "x.bin", "-- a", "empty",
}

// awkward lines look like parts of a patch.
var awkward = []string{
	"", " ", "-", "--", "-- ", "--- a/x", "+++ b/x", "++ b/x", "@@ -1 +1 @@", "diff --git a/x b/x", "\\ No newline at end of file",
	"GIT binary patch", "\tcode()", "\r", "x\ry", "é\u2028", "\"quoted\"", "\\u0041",
}

func (r *repository) content() []byte {
	var b bytes.Buffer
	for range r.rand.IntN(40) {
		b.WriteString(awkward[r.rand.IntN(len(awkward))])
		if r.rand.IntN(3) > 0 {
			b.WriteString(strconv.Itoa(r.rand.IntN(50)))
		}
		b.WriteString([]string{"\n", "\n", "\n", "\r\n"}[r.rand.IntN(4)])
	}
	if r.rand.IntN(3) == 0 {
		b.WriteString("no newline here")
	}
	return b.Bytes()
}

func (r *repository) write(name string, content []byte) {
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if strings.HasSuffix(name, ".bin") {
		content = append([]byte("\x00\x01"), content...)
	}
	mode := []os.FileMode{0o644, 0o755}[r.rand.IntN(2)]
	if err := os.WriteFile(path, content, mode); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repository) fill() {
	for _, name := range names {
		if r.rand.IntN(4) > 0 {
			r.write(name, r.content())
		}
	}
	r.write("always", []byte("x\n"))
}

// change edits, adds, removes and renames.
func (r *repository) change() {
	for _, name := range names {
		path := filepath.Join(r.dir, name)
		old, err := os.ReadFile(path)
		switch {
		case err != nil:
			r.write(name, r.content())
		case r.rand.IntN(5) == 0:
			if err := os.Remove(path); err != nil {
				r.t.Fatal(err)
			}
		case r.rand.IntN(4) == 0:
			if err := os.Rename(path, path+" moved"); err != nil {
				r.t.Fatal(err)
			}
		default:
			lines := bytes.SplitAfter(old, []byte("\n"))
			at := r.rand.IntN(len(lines))
			edited := bytes.Join([][]byte{bytes.Join(lines[:at], nil), r.content(), bytes.Join(lines[min(at+2, len(lines)):], nil)}, nil)
			r.write(name, edited)
		}
	}
}

func (r *repository) compare(args ...string) {
	t := r.t
	t.Helper()
	patch := r.run(append([]string{"diff", "--cached"}, args...)...)
	out, failure := splitText(t, patch, "")
	if failure != nil {
		t.Fatalf("%v: %s\n%s", args, failure.Message, patch)
	}
	want := r.numstat(args)
	if len(out.Files) != len(want) {
		t.Fatalf("%v: %d files, git has %d\n%s", args, len(out.Files), len(want), patch)
	}
	added, removed := 0, 0
	for _, f := range out.Files {
		counts, ok := want[f.Path]
		if !ok {
			t.Errorf("%v: git has no %q", args, f.Path)
			continue
		}
		moved := f.Old != "" && len(f.Added) == 0 // without a change, nothing in the patch tells what it is
		if f.Binary != (counts == "-\t-") && !moved {
			t.Errorf("%v: %s: binary is %v, git says %q", args, f.Path, f.Binary, counts)
		}
		plus, minus, _ := strings.Cut(counts, "\t")
		if n := r.sameLines(f); !f.Binary && !moved && strconv.Itoa(n) != plus {
			t.Errorf("%v: %s: %d added lines, git says %s", args, f.Path, n, plus)
		}
		if n, err := strconv.Atoi(plus); err == nil {
			added += n
		}
		if n, err := strconv.Atoi(minus); err == nil {
			removed += n
		}
	}
	if out.Change.Added != added || out.Change.Removed != removed {
		t.Errorf("%v: change says +%d -%d, git +%d -%d", args, out.Change.Added, out.Change.Removed, added, removed)
	}
}

// sameLines compares added lines with the file in the index and returns how many there are.
func (r *repository) sameLines(f fileOut) int {
	if f.Status == "deleted" || len(f.Added) == 0 {
		return 0
	}
	content := strings.Split(r.run("show", ":"+f.Path), "\n")
	n := 0
	for _, run := range f.Added {
		for i, line := range strings.Split(run.Text, "\n") {
			n++
			if at := run.Line - 1 + i; at >= len(content) || strings.TrimSuffix(content[at], "\r") != line {
				r.t.Errorf("%s:%d: split has %q, the file another line", f.Path, at+1, line)
			}
		}
	}
	return n
}

// numstat returns "added<tab>removed" by new path; -z writes paths as they are.
func (r *repository) numstat(args []string) map[string]string {
	counts := make(map[string]string)
	args = append([]string{"diff", "--cached", "--numstat", "-z"}, args...)
	args = slices.DeleteFunc(args, func(a string) bool { return a == "--binary" || a == "-U0" }) // they print the patch too
	fields := strings.Split(r.run(args...), "\x00")
	for i := 0; i < len(fields)-1; i++ {
		plus, rest, _ := strings.Cut(fields[i], "\t")
		minus, path, _ := strings.Cut(rest, "\t")
		if path == "" { // a rename: old and new path follow
			path = fields[i+2]
			i += 2
		}
		counts[path] = plus + "\t" + minus
	}
	return counts
}

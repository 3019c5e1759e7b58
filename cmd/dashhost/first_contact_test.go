//go:build unix

package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

const (
	module  = "github.com/dashhost/dashhost"
	release = "v0.0.1"
	nobody  = 65532
)

// TestFirstContact: somebody without a clone types the line of README, in an empty folder: go install, new, run. The module comes
// from a proxy made of this checkout, so it holds what a release would: no nested module. Then the same binary in an empty root.
func TestFirstContact(t *testing.T) {
	if os.Getenv("DASHHOST_FIRST_CONTACT") == "" {
		t.Skip("compiles everything again; make first-contact runs it")
	}
	want, err := os.ReadFile("../../examples/merge-gate/testdata/report.md")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", readmeLine(t))
	cmd.Dir, cmd.Env = t.TempDir(), installEnv(t, proxy(t), bin)
	if got := outputOf(t, cmd); got != string(want) {
		t.Errorf("the report is not examples/merge-gate/testdata/report.md:\n%s", got)
	}
	t.Run("empty root", func(t *testing.T) {
		root := emptyRoot(t, filepath.Join(bin, "dashhost"))
		outputOf(t, jailed(t, root, "/dashhost", "new", "/data/demo", "--example", "merge-gate"))
		if got := outputOf(t, jailed(t, root, "/dashhost", "run", "/data/demo/workflow.yaml", "--thread", "t")); got != string(want) {
			t.Errorf("the report is not examples/merge-gate/testdata/report.md:\n%s", got)
		}
		if got := outputOf(t, jailed(t, root, "/dashhost", "thread", "list", "--store", "/data/demo/.dashhost/store")); !strings.Contains(got, "done") {
			t.Errorf("thread list: %s", got)
		}
	})
}

// proxy makes a module proxy of the checkout: the files that git knows, without nested modules, as a release would hold them.
func proxy(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	versions := filepath.Join(dir, filepath.FromSlash(module), "@v")
	if err := os.MkdirAll(versions, 0o700); err != nil {
		t.Fatal(err)
	}
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z")
	list.Dir = "../.."
	names := strings.Split(strings.Trim(outputOf(t, list), "\x00"), "\x00")
	nested := map[string]bool{}
	for _, n := range names {
		if path.Base(n) == "go.mod" && n != "go.mod" {
			nested[path.Dir(n)] = true
		}
	}
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, n := range names {
		if !within(n, nested) {
			addFile(t, w, n)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"list": []byte(release + "\n"), release + ".info": fmt.Appendf(nil, `{"Version":%q,"Time":"2026-01-01T00:00:00Z"}`, release),
		release + ".mod": mod, release + ".zip": buf.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(versions, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// within says whether a file lies in one of the folders.
func within(name string, dirs map[string]bool) bool {
	for d := path.Dir(name); d != "."; d = path.Dir(d) {
		if dirs[d] {
			return true
		}
	}
	return false
}

func addFile(t *testing.T, w *zip.Writer, name string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../..", filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return // git knows it still, and it is being removed
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := w.Create(module + "@" + release + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
}

// readmeLine is what README says to type.
func readmeLine(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(readme)) {
		if strings.HasPrefix(line, "go install "+module+"/") {
			return line
		}
	}
	t.Fatal("README.md has no line that installs the command")
	return ""
}

// installEnv is an environment in which go install finds only the proxy, and a module cache of its own. What others have written
// comes from the cache of this machine, which has the form of a proxy.
func installEnv(t *testing.T, proxy, bin string) []string {
	t.Helper()
	cache := strings.TrimSpace(outputOf(t, exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE")))
	return append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "GOBIN="+bin,
		"GOPROXY=file://"+proxy+",file://"+filepath.Join(cache, "cache", "download"), "GOMODCACHE="+t.TempDir(),
		"GOFLAGS=-modcacherw -trimpath", "GOSUMDB=off", "GOPRIVATE=", "GOWORK=off", "CGO_ENABLED=0", "DASHHOST_CACHE_DIR="+t.TempDir())
}

// emptyRoot is a folder with the binary, and one folder that everybody may write.
func emptyRoot(t *testing.T, bin string) (root string) {
	t.Helper()
	// Not t.TempDir: a user without rights must be able to get there.
	root, err := os.MkdirTemp("", "dashhost-root-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	b, err := os.ReadFile(bin)
	if err == nil {
		err = os.WriteFile(filepath.Join(root, "dashhost"), b, 0o755)
	}
	if err == nil {
		err = os.Mkdir(filepath.Join(root, "data"), 0o700)
	}
	if err == nil {
		err = os.Chmod(filepath.Join(root, "data"), 0o777)
	}
	if err == nil {
		err = os.Chmod(root, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// jailed is a command that sees only root, as a user without a name, without any variable, in a folder that it may not write.
func jailed(t *testing.T, root string, args ...string) *exec.Cmd {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("needs root on Linux, for chroot")
	}
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir, cmd.Env = "/", []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return cmd
}

// outputOf runs a command that must succeed and returns its stdout.
func outputOf(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, &stderr)
	}
	return string(out)
}

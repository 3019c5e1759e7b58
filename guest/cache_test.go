package guest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// echoWith loads and calls the guest echo with a cache, closes everything, and gives the log.
func echoWith(t *testing.T, dir string) string {
	t.Helper()
	var log bytes.Buffer
	r, err := Open(t.Context(), &Options{CacheDir: dir, Logger: hclog.New(&hclog.LoggerOptions{Output: &log})})
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Load(t.Context(), wasmFile(t, "echo"), nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &recorder{input: []byte("hello")}
	if _, err := newPool(t, m, PoolConfig{}).Call(t.Context(), h, 5); err != nil || string(h.output) != "hello" {
		t.Fatalf("%q, %v", h.output, err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return log.String()
}

// entries lists the files kept in a cache, and fails on a staging directory that was left.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		if d != nil && strings.HasPrefix(d.Name(), stagePrefix) {
			t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestCacheKeepsCode(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if log := echoWith(t, dir); log != "" {
		t.Errorf("log: %s", log)
	}
	files := entries(t, dir)
	if len(files) != 1 {
		t.Fatalf("kept %q", files)
	}
	if info, err := os.Stat(dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v", info.Mode(), err)
	}
	before, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if log := echoWith(t, dir); log != "" {
		t.Errorf("log of the second start: %s", log)
	}
	after, err := os.Stat(files[0])
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the entry was written again, %v", err)
	}
}

// TestDamagedCache: every kind of damage is noticed before the runtime sees it, and repaired.
func TestDamagedCache(t *testing.T) {
	dir := t.TempDir()
	echoWith(t, dir)
	file := entries(t, dir)[0]
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	damages := map[string][]byte{
		"empty": {}, "truncated": good[:len(good)/2], "longer": append(bytes.Clone(good), 0),
		"other": []byte("something else entirely"),
	}
	for _, at := range []int{0, len(entryMagic), len(entryMagic) + 32, len(entryMagic) + 40, len(good) / 2, len(good) - 1} {
		bad := bytes.Clone(good)
		bad[at] ^= 1
		damages[fmt.Sprintf("bit in byte %d", at)] = bad
	}
	for name, bad := range damages {
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if log := echoWith(t, dir); !strings.Contains(log, "entry is not used") {
			t.Errorf("%s: log: %s", name, log)
		}
		if now, err := os.ReadFile(file); err != nil || len(now) != len(good) {
			t.Errorf("%s: not repaired: %d bytes, %v", name, len(now), err)
		}
	}
	// An entry under another key is as good as damaged.
	if _, _, err := openEntry(codeKey{}, good); err == nil {
		t.Error("the entry of another module is taken")
	}
}

func TestUnusableCacheDirectories(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	dirs := map[string]string{"a file": file, "below a file": filepath.Join(file, "x"), "/proc": "/proc/nothing/here"}
	if runtime.GOOS != "windows" {
		dirs["writable by others"] = open
	}
	for name, dir := range dirs {
		if log := echoWith(t, dir); !strings.Contains(log, "compiled code is not kept") {
			t.Errorf("%s: log: %s", name, log)
		}
	}
}

// TestCacheDisappears: a cache that is removed while the process runs costs nothing but time.
func TestCacheDisappears(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	var log bytes.Buffer
	r := openRuntime(t, &Options{CacheDir: dir, Logger: hclog.New(&hclog.LoggerOptions{Output: &log})})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	p := newPool(t, load(t, r, wasmFile(t, "echo"), "echo"), PoolConfig{})
	h := &recorder{input: []byte("hello")}
	if _, err := p.Call(t.Context(), h, 5); err != nil || string(h.output) != "hello" {
		t.Errorf("%q, %v", h.output, err)
	}
	if !strings.Contains(log.String(), "entry is not kept") {
		t.Errorf("log: %s", log.String())
	}
}

// TestCacheCannotBeWritten: the runtime fails to write what it has compiled, which is no reason to fail.
func TestCacheCannotBeWritten(t *testing.T) {
	var log bytes.Buffer
	r := openRuntime(t, &Options{CacheDir: t.TempDir(), Logger: hclog.New(&hclog.LoggerOptions{Output: &log})})
	if err := os.Remove(r.cache.live); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(t.TempDir(), "nowhere"), r.cache.live); err != nil {
		t.Skip(err)
	}
	p := newPool(t, load(t, r, wasmFile(t, "echo"), "echo"), PoolConfig{})
	h := &recorder{input: []byte("hello")}
	if _, err := p.Call(t.Context(), h, 5); err != nil || string(h.output) != "hello" {
		t.Errorf("%q, %v", h.output, err)
	}
	if !strings.Contains(log.String(), "compiled code") {
		t.Errorf("log: %s", log.String())
	}
}

func TestSweepRemovesOldStages(t *testing.T) {
	dir := t.TempDir()
	old, young := filepath.Join(dir, stagePrefix+"old"), filepath.Join(dir, stagePrefix+"young")
	for _, d := range []string{old, young} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * stageAge)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), &Options{CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close(t.Context()) }()
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("the old one is still there: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("the young one is gone: %v", err)
	}
}

package guest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/guest/wasmbin"
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

// entries lists the files kept in a cache.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := cacheFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, e := range list {
		files = append(files, e.Path)
	}
	return files
}

// nothingLeft fails on a staging directory of a runtime that is closed.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, stagePrefix+"*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%q is left, %v", left, err)
	}
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
	nothingLeft(t, dir)
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
	for _, at := range []int{0, len(good) / 2, len(good) - trailerSize, len(good) - 100, len(good) - 1} {
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
	nothingLeft(t, dir)
}

// TestEveryBitOfAnEntry: a change of any byte, a cut at any place and another name are noticed, by the reader of the
// whole and, as far as it reads, by the reader of the notes.
func TestEveryBitOfAnEntry(t *testing.T) {
	dir := t.TempDir()
	echoWith(t, dir)
	file := entries(t, dir)[0]
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := readEntry(file)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(file)
	refused := func(what string, b []byte) {
		t.Helper()
		if _, err := verifyEntry(bytes.NewReader(b), int64(len(b)), name); err == nil {
			t.Errorf("%s: taken", what)
		}
		if n, err := notesOf(bytes.NewReader(b), int64(len(b)), name); err == nil && !reflect.DeepEqual(*n, whole.notes) {
			t.Errorf("%s: other notes are taken: %+v", what, n)
		}
	}
	for at := range good {
		b := bytes.Clone(good)
		b[at] ^= 1 << (at % 8)
		refused(fmt.Sprint("bit in byte ", at), b)
	}
	for n := range good {
		refused(fmt.Sprint("first ", n), good[:n])
	}
	refused("a byte more", append(bytes.Clone(good), 0))
	refused("a byte before", append([]byte{0}, good...))
	name = codeKey{}.String()
	refused("the entry of another module", good)
	if _, err := notesOf(bytes.NewReader(good), int64(len(good)), name); err == nil {
		t.Error("the notes of another module are taken")
	}
}

// TestEntrySaysWhatTheModuleSays: what comes out of the cache is what was made from the bytes.
func TestEntrySaysWhatTheModuleSays(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"echo", "misbehave", "tablegrow", "startsection"} {
		wasm := wasmFile(t, name)
		o := &ModuleOptions{Name: name}
		key := codeKey{digest: sha256.Sum256(wasm), rules: rulesOf(o), table: abi.DefaultTable}
		want, err := prepare(wasm, o, key.table)
		if err != nil {
			t.Fatal(err)
		}
		r := openRuntime(t, &Options{CacheDir: dir})
		load(t, r, wasm, name)
		got := r.cache.find(key)
		if got == nil {
			t.Fatalf("%s is not kept", name)
		}
		want.File, want.Created, want.native = got.File, got.Created, got.native
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: kept %+v\nmade %+v", name, got, want)
		}
		if info, err := r.Inspect(wasm, o); err != nil || !reflect.DeepEqual(info, want.Info) {
			t.Errorf("%s: inspected %+v, %v", name, info, err)
		}
	}
}

// TestRulesPartEntries: an entry that was made under other rules is not used.
func TestRulesPartEntries(t *testing.T) {
	seen := map[string]string{}
	for name, o := range map[string]*ModuleOptions{
		"default": {}, "bounds": {Bounds: wasmbin.Bounds{Blocks: 5}}, "trusted": {Trusted: true},
	} {
		k := codeKey{rules: rulesOf(o)}.String()
		if other := seen[k]; other != "" {
			t.Errorf("%s and %s share %s", name, other, k)
		}
		seen[k] = name
	}
	if (codeKey{rules: rulesOf(&ModuleOptions{Name: "a", SHA256: "b", MaxBytes: 9})}.String()) != (codeKey{rules: rulesOf(&ModuleOptions{})}.String()) {
		t.Error("what says nothing of the code parts entries")
	}
	wasm := wasmFile(t, "misbehave")
	r := openRuntime(t, &Options{CacheDir: t.TempDir()})
	load(t, r, wasm, "misbehave")
	var bound *wasmbin.BoundError
	if _, err := r.Load(t.Context(), wasm, &ModuleOptions{Bounds: wasmbin.Bounds{Blocks: 1}}); !errors.As(err, &bound) {
		t.Errorf("the entry of laxer bounds is used: %v", err)
	}
}

// TestReadOnlyCache is used for what it has, nothing is kept, and that is told once.
func TestReadOnlyCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	echoWith(t, dir)
	kept := entries(t, dir)
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	for _, d := range []string{filepath.Dir(kept[0]), dir} {
		if err := os.Chmod(d, 0o500); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(d, 0o700) })
	}
	if log := echoWith(t, dir); log != "" {
		t.Errorf("log: %s", log)
	}
}

func TestEviction(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"noop", "echo", "small"} {
		r := openRuntime(t, &Options{CacheDir: dir})
		load(t, r, wasmFile(t, name), name)
		for _, f := range entries(t, dir) {
			used := time.Now().Add(-time.Hour)
			if n, err := entryNotes(f); err == nil && n.Name == name {
				used = used.Add(time.Duration(i) * time.Minute)
				if err := os.Chtimes(f, used, used); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if log := echoWith(t, dir); log != "" { // used again: now the newest
		t.Fatal(log)
	}
	list, err := CacheEntries(dir)
	if err != nil || len(list) != 3 || list[0].Module != "echo" || list[2].Module != "noop" {
		t.Fatalf("%+v, %v", list, err)
	}
	// One more, and room for three: noop, used longest ago, goes.
	r := openRuntime(t, &Options{CacheDir: dir, CacheBytes: list[0].Bytes + list[1].Bytes + 3*list[2].Bytes/2})
	load(t, r, wasmFile(t, "startfail"), "startfail")
	var names []string
	list, err = CacheEntries(dir)
	for _, e := range list {
		names = append(names, e.Module)
	}
	if err != nil || strings.Join(names, " ") != "startfail echo small" {
		t.Errorf("%q, %v", names, err)
	}
	// A cap that nothing fits under keeps the newest.
	r = openRuntime(t, &Options{CacheDir: dir, CacheBytes: 1})
	load(t, r, wasmFile(t, "counter"), "counter")
	if list, err = CacheEntries(dir); err != nil || len(list) != 1 || list[0].Module != "counter" {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestListAndRemoveEntries(t *testing.T) {
	dir := t.TempDir()
	r := openRuntime(t, &Options{CacheDir: dir})
	load(t, r, wasmFile(t, "noop"), "noop")
	load(t, r, wasmFile(t, "echo"), "echo")
	odd := filepath.Join(r.cache.kept, "odd")
	if err := os.WriteFile(odd, []byte("of another version"), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := CacheEntries(dir)
	if err != nil || len(list) != 3 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, e := range list {
		if (e.Err != nil) != (e.Path == odd) || e.Err == nil && (e.SHA256 == "" || e.Bytes == 0 || e.Created.IsZero() || e.Meter == 0) {
			t.Errorf("%+v", e)
		}
	}
	removed, err := RemoveCacheEntries(dir, func(e *CacheEntry) bool { return e.Module == "noop" })
	if err != nil || len(removed) != 1 || removed[0].Module != "noop" {
		t.Errorf("%+v, %v", removed, err)
	}
	if removed, err = RemoveCacheEntries(dir, nil); err != nil || len(removed) != 2 {
		t.Errorf("%+v, %v", removed, err)
	}
	if list, err = CacheEntries(dir); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err = CacheEntries(filepath.Join(dir, "none")); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	load(t, r, wasmFile(t, "small"), "small") // the runtime goes on
	if list, err = CacheEntries(dir); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestCrowdedCache: processes that load and clear at once never see anything but whole entries.
func TestCrowdedCache(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 10 {
				if log := echoWith(t, dir); log != "" {
					t.Errorf("log: %s", log)
				}
				if i == 0 {
					if _, err := RemoveCacheEntries(dir, nil); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	nothingLeft(t, dir)
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
	if log.Len() > 0 {
		t.Errorf("log: %s", log.String())
	}
	if files := entries(t, dir); len(files) != 1 {
		t.Errorf("kept %q", files)
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

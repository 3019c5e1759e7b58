package main

import (
	"io"
	"path/filepath"
	"testing"
)

func TestStoreURL(t *testing.T) {
	abs, err := filepath.Abs("x")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ in, dir, want string }{
		{"store", ".", "file:store"},
		{"./store/", ".", "file:store"},
		{"file:store", ".", "file:store"},
		{"file:store", "proj", "file:" + filepath.Join("proj", "store")},
		{"file://" + abs, "proj", "file:" + abs},
		{abs, "proj", "file:" + abs},
		{"mem:", "proj", "mem:"},
		{"kafka://b/t", "proj", "kafka://b/t"},
		{"../up", "proj", "file:up"},
	} {
		if got := storeURL(c.in, c.dir); got != c.want {
			t.Errorf("%q from %q: %q, want %q", c.in, c.dir, got, c.want)
		}
	}
}

// TestCacheDirWithoutHome: a machine without a home folder still runs.
func TestCacheDirWithoutHome(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	e := newEnviron(t)
	a := &app{talk: &talk{w: io.Discard}, environ: &e.environ}
	if got := a.cacheDir(); got != e.vars["DASHHOST_CACHE_DIR"] {
		t.Errorf("environment: %q", got)
	}
	delete(e.vars, "DASHHOST_CACHE_DIR")
	if got := a.cacheDir(); got != "" {
		t.Errorf("no home: %q, want none", got)
	}
	a.flags.cacheDir = "here"
	if got := a.cacheDir(); got != "here" {
		t.Errorf("flag: %q", got)
	}
	a.flags.cacheDir = noCache
	if got := a.cacheDir(); got != "" {
		t.Errorf("off: %q", got)
	}
}

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGuestsAreBuilt: the committed modules are what their text forms say.
func TestGuestsAreBuilt(t *testing.T) {
	tool, err := exec.LookPath("wat2wasm")
	if err != nil {
		t.Skip("wat2wasm is not installed")
	}
	texts, err := filepath.Glob("testdata/guests/*.wat")
	if err != nil || len(texts) == 0 {
		t.Fatal("no guests in testdata/guests")
	}
	for _, text := range texts {
		out := filepath.Join(t.TempDir(), "guest.wasm")
		if msg, err := exec.CommandContext(t.Context(), tool, "-o", out, text).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", text, err, msg)
			continue
		}
		want, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(strings.TrimSuffix(text, ".wat") + ".wasm")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the committed module differs: run testdata/guests/build.sh", text)
		}
	}
}

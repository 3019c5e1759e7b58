package workflow

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the expected files anew; read the difference before committing it")

// corpus returns the manifests of a folder of testdata; none is a failure.
func corpus(t *testing.T, dir string, least int) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < least {
		t.Fatalf("testdata/%s has %d manifests, want at least %d", dir, len(files), least)
	}
	return files
}

// golden compares with a file of testdata.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n got:\n%s\nwant:\n%s", file, got, want)
	}
}

// TestBroken compares every fault of every broken manifest with its .want file,
// text, place, hint and order.
func TestBroken(t *testing.T) {
	for _, file := range corpus(t, "broken", 60) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			g, _, err := Parse(context.Background(), "w.yaml", src, &Options{Natives: []string{"f"}})
			var invalid *Invalid
			if !errors.As(err, &invalid) || g != nil {
				t.Fatalf("got %v, %v, want an *Invalid and no graph", g, err)
			}
			for _, f := range invalid.Faults {
				if f.Pos.File == "" || f.Text == "" || strings.Contains(f.String(), "hunter2") {
					t.Errorf("fault %+v", f)
				}
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".want", err.Error()+"\n")
		})
	}
}

func TestThreeFaultsAreThreeLines(t *testing.T) {
	src, err := os.ReadFile("testdata/broken/three-faults.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = Parse(context.Background(), "w.yaml", src, nil)
	var invalid *Invalid
	if !errors.As(err, &invalid) || len(invalid.Faults) != 3 {
		t.Fatalf("got %v, want 3 faults", err)
	}
	lines := 0
	for _, l := range strings.Split(err.Error(), "\n") {
		if strings.HasPrefix(l, "w.yaml:") {
			lines++
		}
	}
	if lines != 3 {
		t.Errorf("%d lines with a place, want 3:\n%v", lines, err)
	}
}

func readTestdata(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

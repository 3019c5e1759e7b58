package bare

import (
	"bytes"
	"os"
	"sync"
	"testing"
)

// TestAppend: what was appended is in the file, each once, whoever was first.
func TestAppend(t *testing.T) {
	path := t.TempDir() + "/log"
	l, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for range 50 {
				if err := l.Append(bytes.Repeat([]byte{byte('a' + g)}, 100)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || len(b) != ahead {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	for g := range 8 {
		if n := bytes.Count(b, bytes.Repeat([]byte{byte('a' + g)}, 100)); n != 50 {
			t.Errorf("%d appends of %c, want 50", n, 'a'+g)
		}
	}
	if _, err := Create(path); err == nil {
		t.Error("a file that is there was opened")
	}
}

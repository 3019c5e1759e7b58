package filestore

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/vfs"
)

// TestGoldenOperations pins the order of writes, syncs and renames. A change of it is a change of what survives a power cut: read
// the difference, and only then run it with UPDATE_GOLDEN=1.
func TestGoldenOperations(t *testing.T) {
	ctx := context.Background()
	m := &vfs.Mem{}
	s := openMem(t, m, newMemLocks(m), Options{SegmentSize: 64 << 10})
	claim(t, s, "t")
	body := []byte(strings.Repeat("x", 30_000))
	for range 3 {
		c, err := s.Append(ctx, "t", driver.Expect{Epoch: 1}, []*driver.Record{{Kind: driver.KindProgress, Time: 1, Size: 30_000, Body: body}})
		if err == nil {
			err = c.Wait(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	random := regexp.MustCompile(`\.[0-9a-f]{16}\.new`)
	var got strings.Builder
	for _, op := range m.Log() {
		got.WriteString(random.ReplaceAllString(op.String(), ".RANDOM.new") + "\n")
	}
	const file = "testdata/operations.golden"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("operations are\n%s\nwant\n%s", got.String(), want)
	}
}

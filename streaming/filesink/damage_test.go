package filesink

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/dashhost/dashhost/internal/frame"
	"github.com/dashhost/dashhost/internal/vfs"
	"github.com/dashhost/dashhost/streaming/driver"
)

func rec(n int) driver.Record {
	r := driver.Record{Time: int64(1_700_000_000_000_000 + n), Key: []byte("thread"), Value: fmt.Appendf(nil, "\x00value of record %d", n)}
	r.ID[0], r.ID[1] = byte(n>>8), byte(n)
	if n%2 == 0 {
		r.Headers = []driver.Header{{Key: "traceparent", Value: fmt.Append(nil, n)}}
	}
	return r
}

func recs(from, n int) []driver.Record {
	var all []driver.Record
	for i := range n {
		all = append(all, rec(from+i))
	}
	return all
}

// written is a folder in memory with the records 0 to 29 in batches of 1, 2, 3 and so on.
func written(t testing.TB, m *vfs.Mem, o *Options) {
	t.Helper()
	s, err := open(m, "d", o)
	if err != nil {
		t.Fatal(err)
	}
	for at, n := 0, 1; at < 30; at, n = at+n, n+1 {
		if taken, err := s.Write(context.Background(), "s", recs(at, min(n, 30-at))); err != nil || taken == 0 {
			t.Fatal(taken, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// readNumbers reads everything, checks each record against what was written, and returns their numbers and the errors.
func readNumbers(t testing.TB, r *Reader) (numbers []int, errs []error) {
	t.Helper()
	for e, err := range r.All(context.Background()) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		n := int(e.Record.ID[0])<<8 | int(e.Record.ID[1])
		want := rec(n)
		if e.Stream != "s" || e.Record.Time != want.Time || !bytes.Equal(e.Record.Value, want.Value) || !bytes.Equal(e.Record.Key, want.Key) || len(e.Record.Headers) != len(want.Headers) {
			t.Fatalf("record %d: read %+v", n, e)
		}
		numbers = append(numbers, n)
	}
	return numbers, errs
}

// content returns the only file of a folder.
func content(t testing.TB, m *vfs.Mem) (name string, b []byte) {
	t.Helper()
	names, err := m.ReadDir("d")
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	b, err = vfs.ReadFile(m, "d/"+names[0], 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return names[0], b
}

// folder is one in memory with one file.
func folder(t testing.TB, name string, b []byte) *vfs.Mem {
	t.Helper()
	m := &vfs.Mem{}
	f, err := m.Create("d/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return m
}

func upTo(n int) []int {
	var all []int
	for i := range n {
		all = append(all, i)
	}
	return all
}

// A file that ends anywhere gives the records before, and says that there is half a frame.
func TestCutAtEveryByte(t *testing.T) {
	m := &vfs.Mem{}
	written(t, m, nil)
	name, b := content(t, m)
	whole := 0
	for cut := range b {
		numbers, errs := readNumbers(t, newReader(folder(t, name, b[:cut]), "d", nil))
		if !slices.Equal(numbers, upTo(len(numbers))) || len(numbers) < whole {
			t.Fatalf("cut at %d: records %v", cut, numbers)
		}
		whole = len(numbers)
		if len(errs) > 1 || len(errs) == 1 && !errors.Is(errs[0], ErrTorn) {
			t.Fatalf("cut at %d: %v", cut, errs)
		}
		if atEnd := len(errs) == 0; atEnd && cut != 0 && cut != headSize && cut%8 != 0 {
			t.Fatalf("cut at %d, in the middle of a frame, and nobody said so", cut)
		}
	}
	if whole != 30 {
		t.Errorf("%d records before the last byte", whole)
	}
}

// Every flipped bit is found, named with its place, and costs the records of one frame at most.
func TestEveryBitFlip(t *testing.T) {
	m := &vfs.Mem{}
	written(t, m, nil)
	name, b := content(t, m)
	step := 1
	if testing.Short() {
		step = 7
	}
	for bit := 0; bit < len(b)*8; bit += step {
		damaged := bytes.Clone(b)
		damaged[bit/8] ^= 1 << (bit % 8)
		numbers, errs := readNumbers(t, newReader(folder(t, name, damaged), "d", nil))
		if !slices.IsSorted(numbers) || len(slices.Compact(slices.Clone(numbers))) != len(numbers) {
			t.Fatalf("bit %d: records %v", bit, numbers)
		}
		if len(errs) == 0 {
			t.Fatalf("bit %d: nothing was noticed, records %v", bit, numbers)
		}
		if bit/8 >= headSize && len(numbers) < 30-8 {
			t.Fatalf("bit %d: only %v are left", bit, numbers)
		}
		for _, err := range errs {
			var damage *DamageError
			if errors.As(err, &damage) && damage.Lost != 0 && int(damage.Lost) != 30-len(numbers) {
				t.Fatalf("bit %d: %v, but %d are missing", bit, err, 30-len(numbers))
			}
		}
	}
}

// With SyncBatch, whatever a power cut leaves, every record that was taken is there, and nothing else.
func TestPowerCutAfterEveryOperation(t *testing.T) {
	m := &vfs.Mem{}
	if err := m.MkdirAll("d"); err != nil {
		t.Fatal(err)
	}
	s, err := open(m, "d", &Options{Sync: SyncBatch, SegmentBytes: 4096})
	if err != nil {
		t.Fatal(err)
	}
	var acknowledged []int // records, by operations done
	for at := 0; at < 60; at += 3 {
		if _, err := s.Write(context.Background(), "s", recs(at, 3)); err != nil {
			t.Fatal(err)
		}
		for len(acknowledged) < len(m.Log()) {
			acknowledged = append(acknowledged, at)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	log := m.Log()
	for cut := range log {
		for _, keep := range []func() bool{func() bool { return false }, func() bool { return true }, alternate()} {
			after := vfs.Replay(log[:cut], keep)
			numbers, errs := readNumbers(t, newReader(after, "d", nil))
			promised := 60
			if cut < len(acknowledged) {
				promised = acknowledged[cut]
			}
			if !slices.Equal(numbers, upTo(len(numbers))) || len(numbers) < promised {
				t.Fatalf("after %d operations: records %v, promised %d, %v", cut, numbers, promised, errs)
			}
			for _, err := range errs {
				if !errors.Is(err, ErrTorn) {
					t.Fatalf("after %d operations (%s): %v", cut, log[max(cut-1, 0)], err)
				}
			}
		}
	}
}

func alternate() func() bool {
	n := 0
	return func() bool { n++; return n%2 == 0 }
}

var errDisk = errors.New("disk says no")

// An error at any operation is told, loses nothing that was taken, and the next write works.
func TestFaultAtEveryOperation(t *testing.T) {
	for _, policy := range []Sync{SyncBatch, SyncClose} {
		for _, short := range []bool{false, true} {
			for fail := 0; ; fail++ {
				n, hit := 0, false
				m := &vfs.Mem{}
				m.Fault = func(op vfs.Op) error {
					if op.Kind == "mkdir" {
						return nil
					}
					if n++; n-1 != fail {
						return nil
					}
					hit = true
					if short && op.Kind == "write" {
						return &vfs.ShortWrite{N: len(op.Data) / 2, Err: errDisk}
					}
					return errDisk
				}
				s, err := open(m, "d", &Options{Sync: policy, SegmentBytes: 4096})
				if err != nil {
					t.Fatal(err)
				}
				told := 0
				unknown := 0
				for at := 0; at < 60; at += 5 {
					for try := 0; ; try++ {
						taken, err := s.Write(context.Background(), "s", recs(at, 5))
						if err == nil && taken == 5 {
							break
						}
						if told++; !errors.Is(err, errDisk) || taken != 0 || try > 2 {
							t.Fatalf("%s, fault at %d: %d taken, %v", policy, fail, taken, err)
						}
						if driver.ClassOf(err) == driver.Unknown {
							unknown++
						}
					}
				}
				if err := s.Flush(context.Background()); err != nil {
					told++
				}
				if err := s.Close(); err != nil {
					told++
				}
				if !hit {
					if fail < 10 {
						t.Fatalf("only %d operations", fail)
					}
					break
				}
				if told == 0 {
					t.Fatalf("%s, fault at %d: nobody was told", policy, fail)
				}
				numbers, errs := readNumbers(t, newReader(m, "d", nil))
				if distinct := slices.Compact(slices.Sorted(slices.Values(numbers))); !slices.Equal(distinct, upTo(60)) || len(numbers) > 60+5*unknown || len(errs) > 0 {
					t.Fatalf("%s, short=%v, fault at %d: %d records, %v", policy, short, fail, len(numbers), errs)
				}
			}
		}
	}
}

// A sync in the background that failed is told by the next Flush, once, and the sink goes on in a new file.
func TestFailedSyncIsTold(t *testing.T) {
	m := &vfs.Mem{}
	fail := false
	m.Fault = func(op vfs.Op) error {
		if fail && op.Kind == "syncdata" {
			return errDisk
		}
		return nil
	}
	s, err := open(m, "d", &Options{Sync: SyncClose})
	if err != nil {
		t.Fatal(err)
	}
	write := func(from int) {
		t.Helper()
		if _, err := s.Write(context.Background(), "s", recs(from, 1)); err != nil {
			t.Fatal(err)
		}
	}
	write(0)
	fail = true
	s.syncLater()
	fail = false
	write(1)
	if err := s.Flush(context.Background()); !errors.Is(err, errDisk) {
		t.Errorf("flush: %v", err)
	}
	if err := s.Flush(context.Background()); err != nil {
		t.Errorf("second flush: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if numbers, errs := readNumbers(t, newReader(m, "d", nil)); !slices.Equal(numbers, upTo(2)) || len(errs) > 0 {
		t.Errorf("%v, %v", numbers, errs)
	}
	if names, _ := m.ReadDir("d"); len(names) != 2 {
		t.Errorf("files %v, want two", names)
	}
}

// A record full of zeros does not look like one that the power kept from being written.
func TestZerosAreNotTorn(t *testing.T) {
	m := &vfs.Mem{}
	s, err := open(m, "d", &Options{Sync: SyncBatch})
	if err != nil {
		t.Fatal(err)
	}
	zeros := rec(0)
	zeros.Value = make([]byte, 8192)
	if _, err := s.Write(context.Background(), "s", []driver.Record{zeros}); err != nil {
		t.Fatal(err)
	}
	name, b := content(t, m) // not closed: it is the last frame
	b[len(b)-4000] ^= 1
	var damage *DamageError
	if _, errs := readNumbers(t, newReader(folder(t, name, b), "d", nil)); len(errs) != 1 || !errors.As(errs[0], &damage) {
		t.Errorf("%v, want damage", errs)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A file that is gone from the middle is missed; the first ones may be gone.
func TestMissingFiles(t *testing.T) {
	m := &vfs.Mem{}
	s, err := open(m, "d", &Options{SegmentBytes: 4096})
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < 400; at += 4 {
		if _, err := s.Write(context.Background(), "s", recs(at, 4)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := m.ReadDir("d")
	if err != nil || len(names) < 5 {
		t.Fatal(names, err)
	}
	if err := m.Remove("d/" + names[0]); err != nil {
		t.Fatal(err)
	}
	numbers, errs := readNumbers(t, newReader(m, "d", nil))
	if len(errs) != 0 || numbers[len(numbers)-1] != 399 {
		t.Errorf("without the first file: %v", errs)
	}
	first := numbers[0]
	if err := m.Remove("d/" + names[2]); err != nil {
		t.Fatal(err)
	}
	numbers, errs = readNumbers(t, newReader(m, "d", nil))
	var damage *DamageError
	if len(errs) != 1 || !errors.As(errs[0], &damage) || int(damage.Lost) != 400-first-len(numbers) {
		t.Errorf("without the third file: %v, %d records from %d", errs, len(numbers), first)
	}
}

func TestOtherFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"notes.txt": "x", "x.dse": "x", "01ARZ3NDEKTSV4RRFFQ69G5FAV-1.dse": "x", "01ARZ3NDEKTSV4RRFFQ69G5FAV-00000001.dse": strings.Repeat("x", 500)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h := head{writer: ulid.Make(), number: 1, seq: 1, created: 1}
	newer := h.encode()
	newer[8] = 2
	m := folder(t, fileName(h.writer, 1), newer)
	if _, errs := readNumbers(t, newReader(m, "d", nil)); len(errs) != 1 || !errors.Is(errs[0], ErrDamaged) {
		t.Errorf("a head whose checksum is wrong: %v", errs)
	}
	numbers, errs := readNumbers(t, NewReader(dir, nil))
	if len(numbers) != 0 || len(errs) != 1 || !errors.Is(errs[0], ErrDamaged) {
		t.Errorf("%v, %v", numbers, errs)
	}
}

// The format, byte by byte. A change of these bytes is a new version of the format.
func TestGoldenFile(t *testing.T) {
	h := head{segment: [16]byte{1, 2, 3}, number: 7, seq: 5, created: 1_700_000_000_000_000}
	h.writer = ulid.MustParse("01ARZ3NDEKTSV4RRFFQ69G5FAV")
	r := rec(258)
	got := map[string][]byte{"head": h.encode(), "record": appendRecord(nil, &r)}
	for name, b := range got {
		want, err := os.ReadFile("testdata/" + name + ".hex")
		if err != nil {
			t.Fatalf("%v; it is %x", err, b)
		}
		if text := strings.TrimSpace(string(want)); text != hex.EncodeToString(b) {
			t.Errorf("%s is\n%x\nwant\n%s", name, b, text)
		}
	}
	back, err := parseHead(h.encode())
	if err != nil || back != h {
		t.Errorf("%+v, %v", back, err)
	}
}

// Whatever stands in a file, reading it ends, and what is no record of ours is not given out.
func FuzzReader(f *testing.F) {
	m := &vfs.Mem{}
	written(f, m, nil)
	name, b := content(f, m)
	b = b[:headSize+2*frame.Size(200)] // a few frames: the fuzzer is slow with long inputs
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, err := range newReader(folder(t, name, b), "d", nil).All(context.Background()) {
			if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrTorn) && !errors.Is(err, ErrVersion) {
				t.Fatal(err)
			}
		}
	})
}

// The body behind a right checksum may still be anything.
func FuzzBody(f *testing.F) {
	r := rec(2)
	f.Add(appendRecord(appendBytes(nil, []byte("s")), &r), 1)
	f.Fuzz(func(t *testing.T, b []byte, count int) {
		stream, records, err := parseBody(b, count)
		if err != nil {
			return
		}
		again := appendBytes(nil, []byte(stream))
		for i := range records {
			again = appendRecord(again, &records[i])
		}
		if len(again) > len(b) {
			t.Errorf("%x parsed, and encoded again it is %x", b, again)
		}
	})
}

package kafkasink

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/dashhost/dashhost/streaming/driver"
)

// murmur2 is Austin Appleby's MurmurHash2 for 32 bits with the seed that Kafka's clients use, so that a key is in the same partition
// whoever writes it.
func murmur2(b []byte) int32 {
	const m = 0x5bd1e995
	seed := uint32(0x9747b28c)
	h := seed ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		k ^= k >> 24
		h = h*m ^ k*m
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h = (h ^ h>>13) * m
	return int32(h ^ h>>15)
}

// Values that the tests of Kafka's own client expect.
func TestMurmur2(t *testing.T) {
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		if got := murmur2([]byte(key)); got != want {
			t.Errorf("%q: %d, want %d", key, got, want)
		}
	}
}

// A thread is where other clients of Kafka would put it.
func TestPartitionOfAThread(t *testing.T) {
	_, target := fake(t)
	s := openSink(t, target, nil)
	var batch []driver.Record
	for i := range 200 {
		batch = append(batch, numberedRecord(i, fmt.Sprint("thread é ", i*i)))
	}
	if n, err := s.Write(t.Context(), "s", batch); n != len(batch) || err != nil {
		t.Fatalf("%d taken, %v", n, err)
	}
	shut(t, s)
	used := map[int32]int{}
	for _, e := range readAll(t, target) {
		used[e.Partition]++
		if want := (murmur2(e.Record.Key) & 0x7fffffff) % 3; e.Partition != want {
			t.Errorf("%q is in partition %d, want %d", e.Record.Key, e.Partition, want)
		}
	}
	if len(used) != 3 {
		t.Errorf("partitions used: %v", used)
	}
}

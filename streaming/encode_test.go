package streaming

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/dashhost/dashhost/streaming/eventpb"
)

// Around the size from which payloads are compressed, the byte that says so is where it is said to be.
func TestCompressionByteAroundTheThreshold(t *testing.T) {
	codec := eventpb.NewCodec(nil)
	defer codec.Close()
	with := 0
	enc := &encoder{time: 1, id: [16]byte{1}}
	for i := range 1400 {
		n := i / 2 // every other event is small, from the same encoder
		if i%2 == 1 {
			n = 0
		}
		e := &Event{Type: TypeRunEnd, Thread: "t", Payload: []byte(strings.Repeat("7", n))}
		enc.encode(e, codec.Compress)
		size := len(enc.payload())
		if (enc.compression > 0) != (size > eventpb.CompressAbove) {
			t.Fatalf("payload of %d bytes: compression at %d", size, enc.compression)
		}
		if enc.compression == 0 {
			continue
		}
		with++
		frame := codec.AppendFrame(nil, append([]byte(nil), enc.payload()...), enc.compression)
		m, err := codec.Decode(frame)
		if err != nil || frame[0] != eventpb.FrameZstd || m.GetEvent().GetHeader().GetCompression() != eventpb.CompressionType_COMPRESSION_ZSTD {
			t.Fatalf("payload of %d bytes: %v, %v", size, err, m)
		}
	}
	if with == 0 {
		t.Error("no payload was large enough")
	}
}

// What does not get smaller is sent as it is.
func TestIncompressibleStaysRaw(t *testing.T) {
	codec := eventpb.NewCodec(nil)
	defer codec.Close()
	var b strings.Builder
	x := uint32(1)
	for b.Len() < 4000 {
		x = x*1664525 + 1013904223
		b.WriteRune(rune(0x4e00 + x>>16%0x5000))
	}
	enc := &encoder{time: 1}
	enc.encode(&Event{Type: TypeToken, Thread: "t", Text: b.String()}, codec.Compress)
	frame := codec.AppendFrame(nil, append([]byte(nil), enc.payload()...), enc.compression)
	m, err := codec.Decode(frame)
	if err != nil {
		t.Fatal(err)
	}
	if raw := frame[0] == eventpb.FrameRaw; raw != (m.GetTokenChunk().GetHeader().GetCompression() == eventpb.CompressionType_COMPRESSION_NONE) || m.GetTokenChunk().GetText() != b.String() {
		t.Errorf("frame byte %d, %v", frame[0], m.GetTokenChunk().GetHeader())
	}
}

func BenchmarkEncode(b *testing.B) {
	codec := eventpb.NewCodec(nil)
	defer codec.Close()
	e := &Event{
		Type: TypeNodeEnd, Thread: "01KAR3ND9XJ2Q6W8T4V5Y7Z0AB", Run: "01KAR3ND9XJ2Q6W8T4V5Y7Z0AC", Node: "secrets", Step: 3, Attempt: 1,
		Seq: 12345, Duration: 1_234_000,
	}
	enc := &encoder{time: 1_768_000_000_123_456, id: [16]byte{1, 2, 3}}
	var frame []byte
	b.Run("event", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			enc.encode(e, codec.Compress)
			frame = codec.AppendFrame(frame[:0], enc.payload(), enc.compression)
		}
	})
	b.Run("check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := e.Check(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("yardstick=generated", func(b *testing.B) {
		enc.encode(e, codec.Compress)
		m, err := codec.Decode(codec.AppendFrame(nil, enc.payload(), 0))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if frame, err = (proto.MarshalOptions{}).MarshalAppend(frame[:0], m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

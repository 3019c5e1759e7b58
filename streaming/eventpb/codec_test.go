package eventpb_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/streaming/eventpb"
)

var update = flag.Bool("update", false, "write the golden frames")

// The golden frames hold the format in place where no other implementation's are: each JSON is encoded to the bytes beside it, and
// they decode to it.
func TestGoldenFrames(t *testing.T) {
	files, err := filepath.Glob("testdata/frames/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden frames: %v", err)
	}
	c := eventpb.NewCodec(nil)
	defer c.Close()
	variants := map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := &eventpb.DashStreamMessage{}
		if err := protojson.Unmarshal(source, m); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		frame, err := c.Encode(nil, m)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		golden := strings.TrimSuffix(file, ".json") + ".hex"
		if *update {
			if err := os.WriteFile(golden, []byte(hex.EncodeToString(frame)+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatalf("%s: %v", golden, err)
		}
		if want[0] == eventpb.FrameRaw && !bytes.Equal(frame, want) {
			t.Errorf("%s: encoded as %x", golden, frame)
		}
		got, err := c.Decode(want)
		if err != nil || want[0] == eventpb.FrameRaw && !proto.Equal(got, m) || frame[0] != want[0] {
			t.Errorf("%s: %v: %v", golden, err, got)
		}
		variants[string(m.ProtoReflect().WhichOneof(m.ProtoReflect().Descriptor().Oneofs().Get(0)).Name())] = true
	}
	if len(variants) != 9 {
		t.Errorf("variants %v, want all 9", variants)
	}
}

// zstdOf compresses, with options of the library.
func zstdOf(t testing.TB, b []byte, o ...zstd.EOption) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil, o...)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return e.EncodeAll(b, nil)
}

// text is a payload of n bytes: an event with a long node id.
func text(n int) []byte {
	for pad := n; ; pad-- {
		node := protowire.AppendString(protowire.AppendTag(nil, 3, protowire.BytesType), strings.Repeat("n", max(pad, 0)))
		if b := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), node); len(b) <= n {
			return append(b, bytes.Repeat([]byte{0x78, 0}, (n-len(b))/2)...) // what is missing: an unknown field
		}
	}
}

// One limit, whatever the frame: exactly that many bytes are fine.
func TestLesson14_OneLimitForEveryCompression(t *testing.T) {
	const limit = 1 << 20
	c := eventpb.NewCodec(&eventpb.Options{MaxBytes: limit})
	defer c.Close()
	half := text(limit / 2)
	frames := map[string]func([]byte) []byte{
		"raw":  func(b []byte) []byte { return append([]byte{eventpb.FrameRaw}, b...) },
		"zstd": func(b []byte) []byte { return append([]byte{eventpb.FrameZstd}, zstdOf(t, b)...) },
		"zstd without size": func(b []byte) []byte {
			var out bytes.Buffer
			e, err := zstd.NewWriter(&out, zstd.WithSingleSegment(false))
			if err != nil {
				t.Fatal(err)
			}
			for part := range slices.Chunk(b, 1000) { // written in parts, it cannot know the size
				if _, err := e.Write(part); err != nil {
					t.Fatal(err)
				}
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			return append([]byte{eventpb.FrameZstd}, out.Bytes()...)
		},
		"two zstd frames": func(b []byte) []byte {
			cut := len(half)
			return append(append([]byte{eventpb.FrameZstd}, zstdOf(t, b[:cut])...), zstdOf(t, b[cut:])...)
		},
		"zstd with a window over the limit": func(b []byte) []byte {
			return append([]byte{eventpb.FrameZstd}, wide(b)...)
		},
	}
	for name, frame := range frames {
		for _, n := range []int{limit - 2, limit, limit + 2, 3 * limit} {
			_, err := c.Payload(nil, frame(text(n)))
			var large *eventpb.TooLargeError
			if n <= limit && err != nil || n > limit && (!errors.As(err, &large) || large.Max != limit || !errors.Is(err, eventpb.ErrTooLarge)) {
				t.Errorf("%s, %d bytes, limit %d: %v", name, n, limit, err)
			}
		}
	}
}

// wide is a zstd frame of raw blocks whose window is 2 GiB.
func wide(b []byte) []byte {
	out := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3}
	for len(b) > 0 {
		n := min(len(b), 100_000)
		last := 0
		if n == len(b) {
			last = 1
		}
		header := n<<3 | last
		out = append(append(out, byte(header), byte(header>>8), byte(header>>16)), b[:n]...)
		b = b[n:]
	}
	return out
}

// Small frames that promise much do not get memory for it.
func TestLesson12_LimitBeforeAllocation(t *testing.T) {
	const limit = 1 << 20
	c := eventpb.NewCodec(&eventpb.Options{MaxBytes: limit})
	defer c.Close()
	bomb := append([]byte{eventpb.FrameZstd}, zstdOf(t, make([]byte, 200<<20))...)
	claims := []byte{eventpb.FrameZstd, 0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0} // 2^40 bytes in a single segment
	lengths := []byte{eventpb.FrameRaw, 0x0a, 0xff, 0xff, 0xff, 0xff, 0x07}
	packed := append([]byte{eventpb.FrameRaw, 0x1a, 0x06, 0x22, 0xff, 0xff, 0xff, 0xff, 0x0f}, 1)
	for name, frame := range map[string][]byte{"bomb": bomb, "claimed size": claims, "length": lengths, "packed": packed, "window": append([]byte{1}, wide([]byte{})...)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := c.Decode(frame)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 8*limit {
			t.Errorf("%s: %d bytes of frame made it allocate %d", name, len(frame), got)
		}
	}
}

func TestFrameErrors(t *testing.T) {
	c := eventpb.NewCodec(nil)
	defer c.Close()
	good := zstdOf(t, text(100))
	for name, f := range map[string]struct {
		frame []byte
		want  error
	}{
		"empty":               {nil, eventpb.ErrBadFrame},
		"first byte":          {[]byte{2, 0}, eventpb.ErrUnknownCompression},
		"magic cut":           {[]byte{1, 0x28}, eventpb.ErrBadFrame},
		"magic cut at 2":      {[]byte{1, 0x28, 0xb5}, eventpb.ErrBadFrame},
		"zstd cut":            {append([]byte{1}, good[:len(good)-1]...), eventpb.ErrBadFrame},
		"one byte after zstd": {append(append([]byte{1}, good...), 0x28), eventpb.ErrBadFrame},
		"skippable cut":       {append(append([]byte{1}, good...), 0x50, 0x2a, 0x4d, 0x18, 9, 0, 0, 0, 1), eventpb.ErrBadFrame},
		"text":                {[]byte{0, 0x0a, 3, 0x1a, 1, 0xff}, eventpb.ErrBadPayload},
		"one byte missing":    {[]byte{0, 0x0a, 1}, eventpb.ErrBadPayload},
		"past the parent":     {[]byte{0, 0x0a, 2, 0x1a, 1, 0x78, 1}, eventpb.ErrBadPayload},
		"only raw":            {[]byte{0}, nil},
		"only zstd":           {[]byte{1}, nil},
		"zstd of nothing":     {append([]byte{1}, zstdOf(t, nil, zstd.WithZeroFrames(true))...), nil},
		"skippable":           {[]byte{1, 0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 1}, nil},
	} {
		if _, err := c.Decode(f.frame); !errors.Is(err, f.want) {
			t.Errorf("%s: %v, want %v", name, err, f.want)
		}
	}
	var at *eventpb.PayloadError
	if _, err := c.Decode([]byte{0, 0x0a, 3, 0x1a, 1, 0xff}); !errors.As(err, &at) || at.Message != "Event" || at.Field != 3 || at.Offset != 3 {
		t.Errorf("%v, want field 3 of Event at byte 3", err)
	}
}

// nest puts a message with some fields n levels deep: an event, its attribute, arrays.
func nest(arrays int, innermost []byte) []byte {
	field := func(number protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), b)
	}
	b := innermost
	for range arrays {
		b = field(6, field(1, b))
	}
	return append([]byte{eventpb.FrameRaw}, field(1, field(4, field(2, b)))...)
}

func TestNesting(t *testing.T) {
	c := eventpb.NewCodec(nil)
	defer c.Close()
	leaf := []byte{0x10, 1}
	unknown := []byte{0x78, 1}
	groups := func(n int) []byte {
		return append(bytes.Repeat([]byte{0x7b}, n), bytes.Repeat([]byte{0x7c}, n)...)
	}
	for _, f := range []struct {
		name  string
		frame []byte
		ok    bool
	}{
		{"48 arrays", nest(48, leaf), true},
		{"49 arrays", nest(49, leaf), false},
		{"5000 arrays", nest(5000, leaf), false},
		{"unknown at 48", nest(48, unknown), true},
		{"99 groups", append([]byte{0}, groups(99)...), true},
		{"100 groups", append([]byte{0}, groups(100)...), true},
		{"101 groups", append([]byte{0}, groups(101)...), false},
		{"group that is not closed", []byte{0, 0x7b, 0x08, 1}, false},
		{"group closed by another", []byte{0, 0x7b, 0x84, 1}, false},
	} {
		if _, err := c.Decode(f.frame); (err == nil) != f.ok {
			t.Errorf("%s: %v", f.name, err)
		}
	}
}

// Encode makes what Decode reads, and the same bytes for the same message however it was put together.
func TestRapidEncodeDecode(t *testing.T) {
	c := eventpb.NewCodec(nil)
	defer c.Close()
	rapid.Check(t, func(t *rapid.T) {
		m := &eventpb.DashStreamMessage{Message: &eventpb.DashStreamMessage_Event{Event: &eventpb.Event{
			Header:     &eventpb.Header{ThreadId: rapid.String().Draw(t, "thread"), Sequence: rapid.Uint64().Draw(t, "seq"), TimestampUs: rapid.Int64().Draw(t, "time")},
			EventType:  eventpb.EventType(rapid.Int32().Draw(t, "type")),
			Attributes: map[string]*eventpb.AttributeValue{},
		}}}
		for range rapid.IntRange(0, 20).Draw(t, "attributes") {
			m.GetEvent().Attributes[rapid.String().Draw(t, "name")] = &eventpb.AttributeValue{
				Value: &eventpb.AttributeValue_BytesValue{BytesValue: rapid.SliceOf(rapid.Byte()).Draw(t, "value")}}
		}
		frame, err := c.Encode(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Decode(frame)
		if err != nil {
			t.Fatal(err)
		}
		if frame[0] == eventpb.FrameZstd {
			got.GetEvent().GetHeader().Compression = 0
		}
		if !proto.Equal(m, got) {
			t.Fatalf("%v came back as %v", m, got)
		}
		if again, err := c.Encode(nil, got); err != nil || !bytes.Equal(frame, again) {
			t.Fatalf("encoded twice: %x, %x, %v", frame, again, err)
		}
	})
}

func TestEncodeRefuses(t *testing.T) {
	c := eventpb.NewCodec(&eventpb.Options{MaxBytes: 100})
	defer c.Close()
	long := &eventpb.DashStreamMessage{Message: &eventpb.DashStreamMessage_Event{Event: &eventpb.Event{NodeId: strings.Repeat("x", 100)}}}
	if _, err := c.Encode(nil, long); !errors.Is(err, eventpb.ErrTooLarge) {
		t.Errorf("%v, want too large", err)
	}
	bad := &eventpb.DashStreamMessage{Message: &eventpb.DashStreamMessage_Event{Event: &eventpb.Event{NodeId: "\xff"}}}
	if _, err := c.Encode(nil, bad); !errors.Is(err, eventpb.ErrBadPayload) {
		t.Errorf("%v, want bad payload", err)
	}
}

// Whatever the check accepts, the generated code reads, and encoded again it is the same message.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/frames/*.hex")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		frame, err := hex.DecodeString(strings.TrimSpace(string(b)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Add(nest(48, []byte{0x10, 1}))
	f.Add(append([]byte{eventpb.FrameZstd}, wide(text(300))...))
	f.Fuzz(func(t *testing.T, frame []byte) {
		c := eventpb.NewCodec(&eventpb.Options{MaxBytes: 1 << 16})
		defer c.Close()
		payload, err := c.Payload(nil, frame)
		if err != nil {
			return
		}
		m := &eventpb.DashStreamMessage{}
		if err := proto.Unmarshal(payload, m); err != nil {
			t.Fatalf("the check accepts %x, the generated code says %v", payload, err)
		}
		again, err := c.Encode(nil, m)
		if errors.Is(err, eventpb.ErrTooLarge) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		back, err := c.Decode(again)
		if err != nil {
			t.Fatalf("encoded again: %v", err)
		}
		if again[0] == eventpb.FrameRaw && !proto.Equal(m, back) {
			t.Fatalf("%v came back as %v", m, back)
		}
	})
}

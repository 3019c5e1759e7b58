package frame

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func sample() (Header, []byte) {
	body := []byte("columns, and then what is sealed")
	h := Header{
		Kind: 3, Flags: 0, Seq: 0x0102030405060708, Length: uint32(len(body)), Count: 2, Stream: 0x1112131415161718, Event: 7, Events: 3,
		Columns: 7, Promise: 1024, Before: Neighbour{Stream: 0x2122232425262728, Seq: 0x3132333435363738, Length: 99}, Epoch: 5, Ordinal: 0x41424344, BodySum: Sum(0, body),
	}
	return h, body
}

func whole(h *Header, body []byte, at Place) []byte {
	var b [HeaderSize]byte
	h.Put(&b, at)
	return AppendEnd(append(b[:], body...), h.Length)
}

var place = Place{Segment: [16]byte{1, 2, 3}, Offset: 4096}

// TestGolden pins the format: version 1 is these bytes.
func TestGolden(t *testing.T) {
	const want = "d5646866" + "01" + "03" + "0000" + "0807060504030201" + "20000000" + "0200" + "0000" +
		"1817161514131211" + "0700000000000000" + "03000000" + "07000000" + "0004000000000000" +
		"2827262524232221" + "3837363534333231" + "63000000" + "44434241" + "0500000000000000" + "SUMS"
	h, body := sample()
	b := whole(&h, body, place)
	got := hex.EncodeToString(b[:88]) + "SUMS"
	if got != want {
		t.Errorf("header is\n%s\nwant\n%s", got, want)
	}
	if got, want := hex.EncodeToString(b[88:96]), golden; got != want {
		t.Errorf("checksums are %s, want %s", got, want)
	}
	if got, want := hex.EncodeToString(b[96+len(body):]), "a500000000000000"; got != want {
		t.Errorf("end is %s, want %s", got, want)
	}
	parsed, err := Parse(b, place)
	h.Version = 1
	if err != nil || parsed != h {
		t.Errorf("parsed %+v, %v, want %+v", parsed, err, h)
	}
}

// TestLesson18_EveryBit: no bit of a frame, and nothing of its place, can change.
func TestLesson18_EveryBit(t *testing.T) {
	h, body := sample()
	b := whole(&h, body, place)
	check := func(b []byte, at Place) error {
		h, err := Parse(b, at)
		if err == nil {
			_, err = h.Check(b[HeaderSize:])
		}
		return err
	}
	if err := check(b, place); err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(b) {
		b[bit/8] ^= 1 << (bit % 8)
		if check(b, place) == nil {
			t.Errorf("byte %d bit %d is not checked", bit/8, bit%8)
		}
		if Torn(b, place.Offset, int64(len(b))) {
			t.Errorf("byte %d bit %d: taken for torn", bit/8, bit%8)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	if check(b, Place{place.Segment, place.Offset + 8}) == nil || check(b, Place{[16]byte{}, place.Offset}) == nil {
		t.Error("a frame passes in another place")
	}
}

// TestTorn: a frame that lacks a sector is torn, one that has all of them is not, wherever it stands and whatever it holds.
func TestTorn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var body []byte
		for range rapid.IntRange(0, 6).Draw(t, "runs") {
			fill := rapid.SampledFrom([]byte{0, 0, 0xff, 'x'}).Draw(t, "fill")
			body = append(body, bytes.Repeat([]byte{fill}, rapid.SampledFrom([]int{1, 60, 127, 128, 500, 1024, 3000}).Draw(t, "run"))...)
		}
		h := Header{Kind: 1, Columns: uint32(min(len(body), 10))}
		stored := body
		if NeedsStuffing(body) {
			h.Flags = FlagStuffed
			stored = Stuff(nil, body)
			if got, err := Unstuff(stored[:StuffedSize(int(h.Columns))]); err != nil || !bytes.Equal(got, body[:h.Columns]) {
				t.Fatalf("the first %d bytes: %x, %v", h.Columns, got, err)
			}
		}
		h.Length, h.BodySum = uint32(len(stored)), Sum(0, stored)
		at := Place{Offset: 8 * int64(rapid.IntRange(128, 1000).Draw(t, "offset"))}
		b := whole(&h, stored, at)
		parsed, err := Parse(b, at)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parsed.Check(b[HeaderSize:]); err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%d bytes of body, %v, want %d", len(got), err, len(body))
		}
		n := int64(len(b))
		if Torn(b, at.Offset, n) {
			t.Fatal("a whole frame is taken for torn")
		}
		for sector := at.Offset / Sector; sector*Sector < at.Offset+n; sector++ {
			c := bytes.Clone(b)
			clear(c[max(sector*Sector-at.Offset, 0):min((sector+1)*Sector-at.Offset, n)])
			if !Torn(c, at.Offset, n) {
				t.Fatalf("sector %d is missing, and the frame is not torn", sector)
			}
		}
		if !Torn(b[:n-1], at.Offset, n) {
			t.Fatal("a frame beyond the end of the file is not torn")
		}
	})
}

func TestNewerVersion(t *testing.T) {
	h, body := sample()
	b := whole(&h, body, place)
	b[4] = Version + 1
	if _, err := Parse(b, place); !errors.Is(err, ErrHeader) {
		t.Errorf("another version with the old checksum: %v", err)
	}
	resum(b, place)
	if _, err := Parse(b, place); !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "3") {
		t.Errorf("another version: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	h, body := sample()
	f.Add(whole(&h, body, place))
	f.Add(make([]byte, 200))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= HeaderSize {
			resum(b, place)
		}
		h, err := Parse(b, place)
		if err != nil {
			return
		}
		if h.Length > MaxBody {
			t.Fatalf("length %d", h.Length)
		}
		if _, err := h.Check(b[HeaderSize:]); err == nil && int64(len(b)) != Size(h.Length) {
			t.Fatal("a frame of another length passes")
		}
		Torn(b, 4096, Size(h.Length))
	})
}

// golden is the checksums of sample in its place.
const golden = "9c550c7a6a8d0e4a"

// resum makes the head's checksum right again.
func resum(b []byte, at Place) {
	sum := headSum(b[:92], at)
	b[92], b[93], b[94], b[95] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
}

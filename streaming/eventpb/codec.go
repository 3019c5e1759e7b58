package eventpb

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"
)

// Parts of the format.
const (
	FrameRaw  = 0x00 // first byte of a frame whose payload is not compressed
	FrameZstd = 0x01 // first byte of a frame whose payload is

	// CompressAbove is the size of a payload, in bytes, above which it is compressed if that makes it smaller.
	CompressAbove = 512
	// MaxDecoded is how large a payload may be by default, in bytes.
	MaxDecoded = 10 << 20
	// SchemaVersion is what headers say; 0 means the same.
	SchemaVersion = 1
)

// Options change what a Codec does.
type Options struct {
	// MaxBytes is how large a payload may be after decompression. Default MaxDecoded.
	MaxBytes int
}

// Codec turns messages into frames and back. It is safe for concurrent use. The memory of zstd is allocated when it is first
// needed.
type Codec struct {
	max  int
	enc  *zstd.Encoder
	dec  *zstd.Decoder
	wide *zstd.Decoder // for windows larger than max
}

// NewCodec returns a codec; o may be nil.
func NewCodec(o *Options) *Codec {
	c := &Codec{max: MaxDecoded}
	if o != nil && o.MaxBytes > 0 {
		c.max = o.MaxBytes
	}
	var err error
	c.enc, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(3)), zstd.WithEncoderCRC(true),
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	// A larger window than the limit is allowed, as it only says how far back a match may reach. The library's first limit refuses
	// it, so wide bounds what comes out by the buffer it is given.
	c.dec = newReader(zstd.WithDecoderMaxMemory(uint64(c.max)))
	c.wide = newReader(zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxWindow(maxWindow))
	return c
}

func newReader(o ...zstd.DOption) *zstd.Decoder {
	d, err := zstd.NewReader(nil, append(o, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true))...)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return d
}

// maxWindow is the largest window that a zstd frame can ask for.
const maxWindow = 1<<41 + 7<<38

// Close frees what zstd holds. The codec cannot be used after it.
func (c *Codec) Close() {
	c.dec.Close()
	c.wide.Close()
	c.enc.Close() // of an encoder without a writer: nothing to write, so nothing to fail
}

// AppendFrame appends a frame of payload, which must be a message of which the byte at compression is the value of
// header.compression, and 0. It is 1 if the payload was compressed; a compression of 0 means that the payload has no such byte and
// is not to be compressed. The payload is changed and may be thrown away.
func (c *Codec) AppendFrame(dst, payload []byte, compression int) []byte {
	at := len(dst)
	if len(payload) > CompressAbove && compression > 0 {
		payload[compression] = byte(CompressionType_COMPRESSION_ZSTD)
		dst = c.enc.EncodeAll(payload, append(dst, FrameZstd))
		if len(dst)-at-1 < len(payload) {
			return dst
		}
		payload[compression] = byte(CompressionType_COMPRESSION_NONE)
	}
	return append(append(dst[:at], FrameRaw), payload...)
}

// Encode appends a frame of m. Fields are written in the order of their numbers, map entries in the order of their keys. A payload
// over the limit is ErrTooLarge, text that is not UTF-8 ErrBadPayload.
func (c *Codec) Encode(dst []byte, m *DashStreamMessage) ([]byte, error) {
	at := len(dst)
	payload, err := marshal(m)
	if err != nil {
		return dst, err
	}
	if len(payload) > c.max {
		return dst, &TooLargeError{Max: c.max, Got: int64(len(payload))}
	}
	if len(payload) > CompressAbove {
		said, err := marshal(compressed(m))
		if err != nil {
			return dst, err
		}
		dst = c.enc.EncodeAll(said, append(dst, FrameZstd))
		if len(dst)-at-1 < len(payload) {
			return dst, nil
		}
	}
	return append(append(dst[:at], FrameRaw), payload...), nil
}

// compressed returns m as it is inside zstd.
func compressed(m *DashStreamMessage) *DashStreamMessage {
	m = proto.CloneOf(m)
	for _, h := range headers(m) {
		if h != nil {
			h.Compression = CompressionType_COMPRESSION_ZSTD
		}
	}
	return m
}

// HeaderOf returns the header of whatever m holds, nil if there is none.
func HeaderOf(m *DashStreamMessage) *Header { return headers(m)[0] }

func headers(m *DashStreamMessage) []*Header {
	switch v := m.GetMessage().(type) {
	case *DashStreamMessage_Event:
		return []*Header{v.Event.GetHeader()}
	case *DashStreamMessage_StateDiff:
		return []*Header{v.StateDiff.GetHeader()}
	case *DashStreamMessage_TokenChunk:
		return []*Header{v.TokenChunk.GetHeader()}
	case *DashStreamMessage_ToolExecution:
		return []*Header{v.ToolExecution.GetHeader()}
	case *DashStreamMessage_Checkpoint:
		return []*Header{v.Checkpoint.GetHeader()}
	case *DashStreamMessage_Metrics:
		return []*Header{v.Metrics.GetHeader()}
	case *DashStreamMessage_Error:
		return []*Header{v.Error.GetHeader()}
	case *DashStreamMessage_EventBatch:
		all := []*Header{v.EventBatch.GetHeader()}
		for _, e := range v.EventBatch.GetEvents() {
			all = append(all, e.GetHeader())
		}
		return all
	case *DashStreamMessage_ExecutionTrace:
		return []*Header{v.ExecutionTrace.GetHeader()}
	}
	return []*Header{nil}
}

// Payload returns the checked payload of a frame: a view of it if it is not compressed, else it is decompressed into dst, from its
// start. Errors are those of this package.
func (c *Codec) Payload(dst, frame []byte) ([]byte, error) {
	payload, err := c.open(dst, frame)
	if err != nil {
		return nil, err
	}
	if err := check(payload); err != nil {
		return nil, err
	}
	return payload, nil
}

func (c *Codec) open(dst, frame []byte) ([]byte, error) {
	if len(frame) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrBadFrame)
	}
	switch b := frame[1:]; frame[0] {
	case FrameRaw:
		if len(b) > c.max {
			return nil, &TooLargeError{Max: c.max, Got: int64(len(b))}
		}
		return b, nil
	case FrameZstd:
		return c.decompress(dst[:0], b)
	}
	return nil, fmt.Errorf("%w: the first byte is %02x, expected 00 (none) or 01 (zstd)", ErrUnknownCompression, frame[0])
}

func (c *Codec) decompress(dst, b []byte) ([]byte, error) {
	out, err := c.dec.DecodeAll(b, dst)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		out, err = c.wide.DecodeAll(b, make([]byte, 0, c.max))
	}
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return nil, &TooLargeError{Max: c.max}
	case err != nil:
		return nil, fmt.Errorf("%w: zstd: %w", ErrBadFrame, err)
	}
	return out, nil
}

// Compress returns b compressed as the state of a Checkpoint is, or nil if it has less than CompressAbove bytes or does not get
// smaller.
func (c *Codec) Compress(b []byte) []byte {
	if len(b) < CompressAbove {
		return nil
	}
	if small := c.enc.EncodeAll(b, nil); len(small) < len(b) {
		return small
	}
	return nil
}

// Decompress is the inverse of Compress, for states of other producers too. Errors are ErrTooLarge and ErrBadFrame.
func (c *Codec) Decompress(b []byte) ([]byte, error) { return c.decompress(nil, b) }

// Decode returns the message in a frame. The result shares no memory with it.
func (c *Codec) Decode(frame []byte) (*DashStreamMessage, error) {
	payload, err := c.Payload(nil, frame)
	if err != nil {
		return nil, err
	}
	m := &DashStreamMessage{}
	if err := proto.Unmarshal(payload, m); err != nil {
		return nil, &PayloadError{Message: "DashStreamMessage", Text: err.Error()}
	}
	return m, nil
}

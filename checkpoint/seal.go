package checkpoint

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// compressFrom is the size from which bodies are compressed, if that makes them smaller.
const compressFrom = 512

// sealer turns bodies into what drivers keep, and back. It is safe for concurrent use.
type sealer struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

func newSealer() *sealer {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	// The output is bounded by the buffer that open makes, so a frame that lies about its size cannot allocate.
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(MaxRecord),
		zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return &sealer{enc: enc, dec: dec}
}

func (s *sealer) close() {
	s.enc.Close()
	s.dec.Close()
}

// seal sets d's Body, Codec and Size from r.
func (s *sealer) seal(d *driver.Record, r *Record) {
	d.Size = bodySize(r)
	d.Body, d.Codec = appendBody(make([]byte, 0, d.Size), r), driver.CodecRaw
	if d.Size < compressFrom {
		return
	}
	if small := s.enc.EncodeAll(d.Body, make([]byte, 0, s.enc.MaxEncodedSize(len(d.Body)))); len(small) < len(d.Body) {
		d.Body, d.Codec = small, driver.CodecZstd
	}
}

// open returns the body as it was before seal. It may share memory with d.Body.
func (s *sealer) open(d *driver.Record) ([]byte, error) {
	if d.Size < 0 || d.Size > MaxRecord {
		return nil, fmt.Errorf("body of %d bytes, the limit is %d", d.Size, int64(MaxRecord))
	}
	body := d.Body
	if d.Codec&driver.CodecSealed != 0 {
		return nil, errors.New("the body is encrypted: open the store with its key")
	}
	switch d.Codec {
	case driver.CodecRaw:
	case driver.CodecZstd:
		var err error
		if body, err = s.dec.DecodeAll(d.Body, make([]byte, 0, d.Size)); err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
	default:
		return nil, fmt.Errorf("unknown codec %d", d.Codec)
	}
	if int64(len(body)) != d.Size {
		return nil, fmt.Errorf("body has %d bytes, its record says %d", len(body), d.Size)
	}
	return body, nil
}

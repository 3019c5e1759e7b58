package filesink

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/dashhost/dashhost/internal/frame"
	"github.com/dashhost/dashhost/internal/vfs"
)

// window is how much of a file is read at once.
const window = 64 << 10

// source reads the files of one writer. It keeps a file open only while there is something to read in it.
type source struct {
	fs     vfs.FS
	dir    string
	writer ulid.ULID
	after  uint64 // records up to this one were read

	numbers []uint32 // of files, sorted
	at      int      // index of the current one
	file    vfs.File
	head    head
	headed  bool // head is that of the current file
	offset  int64
	seq     uint64 // of the next record, 0 before the first
	size    int64  // of the file when it was last looked at

	cache   []byte // of the file, from cacheAt
	cacheAt int64

	entries []Entry // of the current frame, not yet given out
	order   int64   // what the next entry is sorted by; never less than before
	tail    error   // what stands at the end and is no frame: *TornError, *DamageError
}

// add tells the source of a file.
func (s *source) add(number uint32) {
	if !slices.Contains(s.numbers, number) {
		s.numbers = append(s.numbers, number)
		slices.Sort(s.numbers[s.at:])
	}
}

func (s *source) name() string { return fileName(s.writer, s.numbers[s.at]) }

// more says whether there is a file after the current one, so that the current one is finished.
func (s *source) more() bool { return s.at+1 < len(s.numbers) }

// load makes sure that there are entries, and returns whether there are. Errors are *DamageError, after which it can be called again,
// and others, which are final. Without entries and error there is nothing more so far; tail then says what stands there instead.
func (s *source) load() (bool, error) {
	for len(s.entries) == 0 {
		if s.at >= len(s.numbers) {
			return false, nil
		}
		next, err := s.step()
		if err != nil || !next {
			return false, err
		}
	}
	return true, nil
}

// close lets go of the file. The next load opens it again.
func (s *source) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file, s.cache = nil, nil
	return err
}

// step reads a frame or goes on to the next file; false: there is neither.
func (s *source) step() (bool, error) {
	if err := s.look(); err != nil {
		return false, err
	}
	if !s.headed {
		if ok, err := s.begin(); !ok || err != nil {
			return ok, err
		}
	}
	b, err := s.fetch(s.offset, frame.HeaderSize)
	if err != nil {
		return false, err
	}
	if len(b) == 0 && !s.more() {
		return false, nil
	}
	if len(b) == 0 {
		return s.forward(nil)
	}
	h, err := frame.Parse(b, s.place(s.offset))
	if errors.Is(err, frame.ErrVersion) {
		return false, fmt.Errorf("%s: byte %d: %w: %w", s.name(), s.offset, ErrVersion, err)
	}
	if err != nil {
		return s.bad(err, frame.HeaderSize)
	}
	return s.frame(&h)
}

// look opens the file and learns its size.
func (s *source) look() error {
	if s.file == nil {
		f, err := s.fs.Open(s.dir+"/"+s.name(), false)
		if err != nil {
			return err
		}
		s.file = f
	}
	size, err := s.file.Size()
	if err != nil {
		return err
	}
	if size != s.size {
		s.size, s.cache = size, nil
	}
	return nil
}

func (s *source) place(offset int64) frame.Place {
	return frame.Place{Segment: s.head.segment, Offset: offset}
}

// fetch returns n bytes at an offset, or as many as there are.
func (s *source) fetch(offset, n int64) ([]byte, error) {
	n = min(n, s.size-offset)
	if n <= 0 {
		return nil, nil
	}
	if offset < s.cacheAt || offset+n > s.cacheAt+int64(len(s.cache)) {
		b := make([]byte, min(max(n, window), s.size-offset))
		got, err := s.file.ReadAt(b, offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		s.cache, s.cacheAt = b[:got], offset
	}
	from := offset - s.cacheAt
	return s.cache[from:min(from+n, int64(len(s.cache)))], nil
}

// created is what the head of the first file says: no entry has a lower order.
func (s *source) created() (int64, error) {
	f, err := s.fs.Open(s.dir+"/"+s.name(), false)
	if err != nil {
		return 0, err
	}
	b := make([]byte, headSize)
	n, err := f.ReadAt(b, 0)
	h, bad := parseHead(b[:n])
	if bad == nil {
		err = nil
	}
	return h.created, errors.Join(err, bad, f.Close())
}

// begin reads the head of a file.
func (s *source) begin() (bool, error) {
	b, err := s.fetch(0, headSize)
	if err != nil {
		return false, err
	}
	h, err := parseHead(b)
	switch {
	case errors.Is(err, ErrVersion):
		return false, fmt.Errorf("%s: %w", s.name(), err)
	case err != nil && s.size < headSize && !s.more():
		s.tail = s.torn()
		return false, nil // it is being made
	case err != nil && s.size < headSize:
		return s.forward(s.torn())
	case err != nil:
		_, err := s.forward(&DamageError{File: s.name(), Reason: err.Error()})
		return false, err
	}
	s.head, s.headed, s.offset, s.tail = h, true, headSize, nil
	s.order = max(s.order, h.created)
	return true, s.number(h.seq)
}

// number compares the number of the next record with the one expected. The first files of a writer may have been removed.
func (s *source) number(seq uint64) error {
	expected := s.seq
	s.seq = seq
	if expected != 0 && seq > expected {
		return &DamageError{File: s.name(), Offset: s.offset, Lost: seq - expected, Reason: fmt.Sprintf("expected record %d, found %d", expected, seq)}
	}
	return nil
}

// forward goes on to the next file and passes on an error. Without a next file the source waits for one.
func (s *source) forward(err error) (bool, error) {
	s.at++
	s.headed, s.offset, s.size, s.tail = false, 0, 0, nil
	if e := s.close(); e != nil {
		return false, e
	}
	return err == nil, err
}

func (s *source) torn() *TornError {
	return &TornError{File: s.name(), Offset: s.offset, Bytes: s.size - s.offset}
}

// bad decides about bytes that are no frame. If a frame follows, they are damage. If nothing does, they may be a frame that is being
// written, or was when its writer died or the power went; whole is how long it would be, and a part of that is then missing.
func (s *source) bad(cause error, whole int64) (bool, error) {
	at, h, err := s.search(s.offset + frame.Align)
	if err != nil {
		return false, err
	}
	damage := &DamageError{File: s.name(), Offset: s.offset, Reason: cause.Error()}
	if h != nil {
		if h.Seq > s.seq {
			damage.Lost = h.Seq - s.seq
		}
		s.offset, s.seq = at, h.Seq
		return false, damage
	}
	b, err := s.fetch(s.offset, whole)
	if err != nil {
		return false, err
	}
	if s.tail = s.torn(); !frame.Torn(b, s.offset, whole) {
		s.tail = damage
	}
	if s.more() {
		return s.forward(s.tail)
	}
	s.cache = nil
	return false, nil
}

// search looks for the next frame from an offset on.
func (s *source) search(from int64) (int64, *frame.Header, error) {
	for at := from; at+frame.HeaderSize <= s.size; at += frame.Align {
		b, err := s.fetch(at, frame.HeaderSize)
		if err != nil {
			return 0, nil, err
		}
		if h, err := frame.Parse(b, s.place(at)); err == nil {
			return at, &h, nil
		}
	}
	return 0, nil, nil
}

// frame reads the body that belongs to a header.
func (s *source) frame(h *frame.Header) (bool, error) {
	size := frame.Size(h.Length)
	if h.Length > maxBody+maxBody/64 {
		return s.bad(errBody, frame.HeaderSize)
	}
	if s.offset+size > s.size {
		return s.bad(frame.ErrEnd, size)
	}
	b, err := s.fetch(s.offset+frame.HeaderSize, size-frame.HeaderSize)
	if err != nil {
		return false, err
	}
	content, err := h.Check(b)
	if err != nil {
		return s.bad(err, size)
	}
	gap := s.number(h.Seq)
	at := s.offset
	s.offset += size
	s.seq += uint64(h.Count)
	s.tail = nil
	if h.Flags&frame.FlagLast != 0 {
		return s.forward(gap)
	}
	if err := s.take(content, h); err != nil {
		return false, &DamageError{File: s.name(), Offset: at, Lost: uint64(h.Count), Reason: err.Error()}
	}
	return gap == nil, gap
}

// take makes entries of a frame's body, without those that were read before.
func (s *source) take(content []byte, h *frame.Header) error {
	stream, records, err := parseBody(append([]byte(nil), content...), int(h.Count))
	if err != nil {
		return err
	}
	for i := range records {
		if n := h.Seq + uint64(i); n > s.after {
			s.entries = append(s.entries, Entry{Writer: s.writer.String(), Number: n, Stream: stream, Record: records[i]})
		}
	}
	if len(s.entries) > 0 {
		s.order = max(s.order, s.entries[0].Record.Time)
	}
	return nil
}

// pop returns the next entry, which load has said is there.
func (s *source) pop() *Entry {
	e := &s.entries[0]
	if s.entries = s.entries[1:]; len(s.entries) > 0 {
		s.order = max(s.order, s.entries[0].Record.Time)
	}
	s.after = e.Number
	return e
}

// less orders sources by their next entry.
func (s *source) less(o *source) bool {
	return cmp.Or(cmp.Compare(s.order, o.order), s.writer.Compare(o.writer)) < 0
}

package filestore

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/frame"
	"github.com/dashhost/dashhost/internal/vfs"
)

// Parts of the format.
const (
	version      = 2 // greatest that can be read
	minVersion   = 1 // what is written as long as nothing needs more
	segmentMagic = "dashlog\n"
	segmentHead  = 512
	firstFrame   = 2 * segmentHead
)

// head is what a segment begins with.
type head struct {
	store    [16]byte
	id       [16]byte
	number   uint32
	seq      uint64
	before   frame.Neighbour
	replaces place
	created  int64
	floor    uint32 // segments before it are not kept; 0 or 1: all are
}

// version is the least that tells all of h.
func (h *head) version() uint8 {
	if h.floor > 1 {
		return version
	}
	return minVersion
}

// place is a position in the log; the zero place is before everything.
type place struct {
	segment uint32
	offset  int64
}

// pos orders places.
func (p place) pos() uint64 { return uint64(p.segment)<<32 | uint64(p.offset) }

func (h *head) encode() []byte {
	b := make([]byte, firstFrame)
	le := binary.LittleEndian
	copy(b, segmentMagic)
	le.PutUint32(b[8:], uint32(h.version()))
	le.PutUint32(b[12:], 1)
	copy(b[16:], h.store[:])
	copy(b[32:], h.id[:])
	le.PutUint64(b[48:], uint64(h.number))
	le.PutUint64(b[56:], h.seq)
	le.PutUint64(b[64:], h.before.Stream)
	le.PutUint64(b[72:], h.before.Seq)
	le.PutUint32(b[80:], h.before.Length)
	le.PutUint64(b[88:], uint64(h.replaces.segment))
	le.PutUint64(b[96:], uint64(h.replaces.offset))
	le.PutUint64(b[104:], uint64(h.created))
	if h.floor > 1 {
		le.PutUint64(b[112:], uint64(h.floor))
	}
	le.PutUint32(b[segmentHead-4:], frame.Sum(0, b[:segmentHead-4]))
	copy(b[segmentHead:], b[:segmentHead])
	return b
}

var errHead = errors.New("segment head does not match its checksum")

// parseHead reads one of the two copies.
func parseHead(b []byte, file string) (*head, error) {
	le := binary.LittleEndian
	if len(b) < segmentHead || string(b[:8]) != segmentMagic || le.Uint32(b[segmentHead-4:]) != frame.Sum(0, b[:segmentHead-4]) {
		return nil, errHead
	}
	if v := le.Uint32(b[8:]); v < minVersion || v > version {
		return nil, &driver.VersionError{File: file, Got: v, Max: version}
	}
	h := &head{
		number: uint32(le.Uint64(b[48:])), seq: le.Uint64(b[56:]),
		before:   frame.Neighbour{Stream: le.Uint64(b[64:]), Seq: le.Uint64(b[72:]), Length: le.Uint32(b[80:])},
		replaces: place{uint32(le.Uint64(b[88:])), int64(le.Uint64(b[96:]))},
		created:  int64(le.Uint64(b[104:])), floor: uint32(le.Uint64(b[112:])),
	}
	copy(h.store[:], b[16:])
	copy(h.id[:], b[32:])
	return h, nil
}

// segment is an open file of the log.
type segment struct {
	head
	file *pooled
	used uint64 // when it was wanted last: greater is later
	size int64  // of the file, as far as we know
	end  int64  // frames from here on are replaced by the next segment's, 0 if they are not
	// named says that its entry in the folder is durable. It is when the segment holds a frame; one without may have been left by a
	// process that died, or had an error, between rename and sync.
	named bool
}

func (g *segment) name() string { return segmentName(g.number) }

func segmentName(number uint32) string { return fmt.Sprintf("log/%08d", number) }

// place of a frame for its checksum.
func (g *segment) at(offset int64) frame.Place { return frame.Place{Segment: g.id, Offset: offset} }

// openSegment opens a segment that is there. One bad copy of its head is reported in faults.
func (s *store) openSegment(number uint32) (*segment, error) {
	name := segmentName(number)
	f, err := s.fs.Open(s.path(name), !s.o.ReadOnly)
	if err != nil {
		return nil, err
	}
	g, err := s.readSegment(f, name, number)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return g, nil
}

func (s *store) readSegment(f vfs.File, name string, number uint32) (*segment, error) {
	b := make([]byte, firstFrame)
	n, err := readAt(f, b, 0)
	if err != nil {
		return nil, err
	}
	h, err := parseHead(b[:min(n, segmentHead)], name)
	if err != nil && !errors.Is(err, driver.ErrVersion) {
		var e error
		if h, e = parseHead(b[min(n, segmentHead):n], name); e != nil {
			return nil, &driver.Damage{File: name, Length: firstFrame, Reason: errHead.Error()}
		}
		err = nil
		s.fault(&driver.Damage{File: name, Length: segmentHead, Reason: "the first copy of the head is damaged, the second is sound"})
	} else if err == nil && (n < firstFrame || !bytes.Equal(b[:segmentHead], b[segmentHead:])) {
		s.fault(&driver.Damage{File: name, Offset: segmentHead, Length: segmentHead, Reason: "the second copy of the head is damaged, the first is sound"})
	}
	if err != nil {
		return nil, err
	}
	if h.store != s.id || h.number != number {
		return nil, &driver.Damage{File: name, Length: firstFrame, Reason: fmt.Sprintf("is segment %d of store %x, expected segment %d of store %x", h.number, h.store, number, s.id)}
	}
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	return &segment{head: *h, file: s.pooled(f, s.path(name)), size: size}, nil
}

// createSegment makes the segment that h describes, with frames behind its head, and makes it durable under its name.
func (s *store) createSegment(h head, frames func(*segment) error) (*segment, error) {
	rand.Read(h.id[:])
	h.store, h.created = s.id, time.Now().UnixMicro()
	temp := s.path(fmt.Sprintf("log/%08d.new", h.number))
	f, err := s.fs.Create(temp)
	if errors.Is(err, fs.ErrExist) { // left by a process that died here; we hold the lock
		if err = s.removeUnused(temp); err == nil {
			f, err = s.fs.Create(temp)
		}
	}
	if err != nil {
		return nil, full(err)
	}
	g := &segment{head: h, file: s.pooled(f, s.path(segmentName(h.number))), size: firstFrame}
	_, err = f.WriteAt(h.encode(), 0)
	if err == nil && frames != nil {
		err = frames(g)
	}
	if err == nil {
		err = s.grow(g, g.size+1)
	}
	if err == nil {
		err = s.install(temp, g.name())
	}
	if err != nil {
		return nil, errors.Join(full(err), f.Close(), s.fs.Remove(temp))
	}
	if err := s.name(g); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return g, nil
}

// removeUnused removes a segment that was not finished, and nothing else.
func (s *store) removeUnused(path string) error {
	// A power cut may have left any of its sectors out, so the first one decides: it has the magic, or nothing.
	b, err := s.peek(path, frame.Sector)
	if err == nil && !frame.IsZero(b) && !bytes.HasPrefix(b, []byte(segmentMagic)) {
		err = fmt.Errorf("%s: %w: is not a segment: move it away", path, fs.ErrExist)
	}
	if err != nil {
		return err
	}
	return s.fs.Remove(path)
}

// install gives a new segment its name. A file that has it is not replaced.
func (s *store) install(temp, name string) error {
	f, err := s.fs.Open(s.path(name), false)
	if err == nil {
		return errors.Join(fmt.Errorf("%s: %w: is not of this log: move it away", name, fs.ErrExist), f.Close())
	}
	if !notExist(err) {
		return err
	}
	return s.fs.Rename(temp, s.path(name))
}

// name makes the entry of a segment durable.
func (s *store) name(g *segment) error {
	if err := s.fs.SyncDir(s.path("log")); err != nil {
		return err
	}
	g.named = true
	return nil
}

const (
	minGrow = 64 << 10
	maxGrow = 4 << 20
)

// grow zero-fills and syncs a segment until it has need bytes.
func (s *store) grow(g *segment, need int64) error {
	if need <= g.size {
		return nil
	}
	to := max(g.size+min(max(g.size, minGrow), maxGrow), (need+minGrow-1)/minGrow*minGrow)
	if err := writeZeros(g.file, g.size, to); err != nil {
		return errors.Join(full(err), g.file.Truncate(g.size))
	}
	if err := g.file.Sync(); err != nil {
		return err
	}
	g.size = to
	s.low, _ = s.lowSpace() // only a warning: the next write says whether there is any left
	return nil
}

// lowSpace is how much free space there is, if that is little, else 0.
func (s *store) lowSpace() (int64, error) {
	free, err := s.fs.Free(s.dir)
	if err != nil || free >= s.o.LowSpace {
		return 0, err
	}
	return max(free, 1), nil
}

func writeZeros(f vfs.File, from, to int64) error {
	zeros := make([]byte, min(to-from, 1<<20))
	for from < to {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), to-from)], from)
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}

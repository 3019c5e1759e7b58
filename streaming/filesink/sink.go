package filesink

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/dashhost/dashhost/internal/frame"
	"github.com/dashhost/dashhost/internal/vfs"
	"github.com/dashhost/dashhost/streaming/driver"
)

// Sync says when records are made durable.
type Sync string

// When records are made durable.
const (
	SyncBatch Sync = "batch" // before Write returns
	SyncEvery Sync = "every" // within Options.Every
	SyncClose Sync = "close" // by Flush, Close, and the begin of the next file
)

// Options are those of a Sink.
type Options struct {
	Sync Sync // default SyncEvery
	// Every is how long a record may wait to be made durable, for SyncEvery. Default 200 ms.
	Every time.Duration
	// SegmentBytes is the size at which the next file is begun, 4 KiB to 1 GiB. Default 64 MiB.
	SegmentBytes int64
}

// Validate returns what is wrong, an error that is ErrOptions, or nil. Zero values are defaults.
func (o *Options) Validate() error {
	if o == nil {
		return nil
	}
	var errs []error
	if o.Sync != "" && o.Sync != SyncBatch && o.Sync != SyncEvery && o.Sync != SyncClose {
		errs = append(errs, fmt.Errorf("%w: Sync: %q, expected batch, every or close", ErrOptions, string(o.Sync)))
	}
	if o.Every < 0 {
		errs = append(errs, fmt.Errorf("%w: Every: %v, expected more than 0", ErrOptions, o.Every))
	}
	if n := o.SegmentBytes; n != 0 && (n < 4<<10 || n > 1<<30) {
		errs = append(errs, fmt.Errorf("%w: SegmentBytes: %d, expected 4 KiB to 1 GiB", ErrOptions, n))
	}
	return errors.Join(errs...)
}

// Sink is a writer; it implements driver.Sink.
type Sink struct {
	fs      vfs.FS
	dir     string
	o       Options
	buffers sync.Pool

	mu     sync.Mutex
	closed bool
	head   head
	file   vfs.File // nil: the next Write begins one
	offset int64
	synced int64
	named  bool // the folder's entry of the file is durable
	before frame.Neighbour
	seq    uint64      // of the next record
	timer  *time.Timer // runs while something waits to be made durable; nil if not
	failed error       // of a sync that nobody waited for
}

// Open returns a writer to a folder, which is made if it is not there. o may be nil.
func Open(dir string, o *Options) (*Sink, error) { return open(vfs.OS{}, dir, o) }

func open(fsys vfs.FS, dir string, o *Options) (*Sink, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Sink{fs: fsys, dir: dir, seq: 1, head: head{writer: ulid.Make()}}
	if o != nil {
		s.o = *o
	}
	if s.o.Sync == "" {
		s.o.Sync = SyncEvery
	}
	if s.o.Every == 0 {
		s.o.Every = 200 * time.Millisecond
	}
	if s.o.SegmentBytes == 0 {
		s.o.SegmentBytes = 64 << 20
	}
	s.buffers.New = func() any { return new([]byte) }
	if err := fsys.MkdirAll(dir); err != nil {
		return nil, err
	}
	return s, nil
}

// Write implements driver.Sink. A record over MaxRecord is TooLarge. An error of the disk is Unavailable if the file was put back to
// what it was, and Unknown if even that failed; the next Write begins a new file.
func (s *Sink) Write(ctx context.Context, stream string, records []driver.Record) (int, error) {
	buf := s.buffers.Get().(*[]byte)
	defer s.giveBack(buf)
	taken := 0
	for taken < len(records) {
		if err := ctx.Err(); err != nil {
			return taken, &driver.Error{Class: driver.Unavailable, Err: err}
		}
		n, first := fill(buf, stream, records[taken:])
		if n == 0 {
			return taken, &driver.Error{Class: driver.TooLarge,
				Err: fmt.Errorf("record of %d bytes, the limit is %d", records[taken].Size(), MaxRecord)}
		}
		if err := s.append(*buf, n, first); err != nil {
			return taken, err
		}
		taken += n
	}
	if len(records) == 0 {
		return 0, s.open()
	}
	return taken, nil
}

// giveBack keeps a buffer, unless a large record made it large.
func (s *Sink) giveBack(buf *[]byte) {
	if cap(*buf) <= 1<<20 {
		s.buffers.Put(buf)
	}
}

// open says whether the sink is not closed.
func (s *Sink) open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return driver.ErrClosed
	}
	return nil
}

// fill makes a frame of as many records as it may hold, with place for the header before, and returns their number and the earliest
// time. It is done before the lock is taken.
func fill(buf *[]byte, stream string, records []driver.Record) (n int, first int64) {
	b := append((*buf)[:0], make([]byte, frame.HeaderSize)...)
	b = appendBytes(b, []byte(stream))
	first = math.MaxInt64
	for n < len(records) && n < maxCount {
		r := &records[n]
		if r.Size() > MaxRecord || len(b)-frame.HeaderSize+recordSize(r)+8 > maxBody {
			break
		}
		b = appendRecord(b, r)
		first = min(first, r.Time)
		n++
	}
	*buf = b
	return n, first
}

// append writes a frame. It returns what Write returns.
func (s *Sink) append(b []byte, count int, first int64) error {
	h := frame.Header{Kind: kindRecords, Count: uint16(count)}
	if whole := b[frame.HeaderSize:]; frame.NeedsStuffing(whole) {
		h.Flags = frame.FlagStuffed
		b = frame.Stuff(append(make([]byte, 0, frame.HeaderSize+frame.StuffedSize(len(whole))), b[:frame.HeaderSize]...), whole)
	}
	h.Length = uint32(len(b) - frame.HeaderSize)
	h.BodySum = frame.Sum(0, b[frame.HeaderSize:])
	b = frame.AppendEnd(b, h.Length)

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return driver.ErrClosed
	}
	if err := s.ready(int64(len(b)), first); err != nil {
		return err
	}
	if err := s.put(&h, b); err != nil {
		return err
	}
	s.seq += uint64(count)
	return s.afterWrite()
}

// put writes a frame whose body stands behind the place for its header.
func (s *Sink) put(h *frame.Header, b []byte) error {
	h.Seq, h.Before, h.Promise = s.seq, s.before, uint64(s.synced)
	h.Put((*[frame.HeaderSize]byte)(b), frame.Place{Segment: s.head.segment, Offset: s.offset})
	if _, err := s.file.WriteAt(b, s.offset); err != nil {
		return s.undo(err, uint64(h.Count))
	}
	s.offset += int64(len(b))
	s.before = h.Neighbour()
	return nil
}

// undo takes back what a failed write left. If that fails too, the frame may be there, and its numbers are not used again.
func (s *Sink) undo(cause error, count uint64) error {
	class := driver.Unavailable
	if err := s.file.Truncate(s.offset); err != nil {
		class, cause = driver.Unknown, errors.Join(cause, err)
		s.seq += count
	}
	s.abandon()
	return &driver.Error{Class: class, Err: cause}
}

// abandon leaves the file as it is.
func (s *Sink) abandon() {
	s.noteFailure(s.syncFile())
	s.noteFailure(s.file.Close())
	s.file = nil
}

// noteFailure keeps an error for the next Flush or Close.
func (s *Sink) noteFailure(err error) {
	if err != nil {
		s.failed = errors.Join(s.failed, err)
	}
}

// ready makes sure that there is a file, and that the next frame of that size belongs to it.
func (s *Sink) ready(size, first int64) error {
	if s.file != nil && s.offset > headSize && s.offset+size > s.o.SegmentBytes {
		s.noteFailure(s.finish())
	}
	if s.file != nil {
		return nil
	}
	if err := s.begin(first); err != nil {
		return &driver.Error{Class: driver.Unavailable, Err: err}
	}
	return nil
}

// begin makes the next file.
func (s *Sink) begin(first int64) error {
	h := s.head
	h.number++
	h.seq = s.seq
	if s.head.number == 0 {
		h.created = first
	}
	rand.Read(h.segment[:]) // never fails
	name := s.dir + "/" + fileName(h.writer, h.number)
	f, err := s.fs.Create(name)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(h.encode(), 0); err != nil {
		return errors.Join(err, f.Close(), s.fs.Remove(name))
	}
	s.head, s.file, s.offset, s.synced, s.named, s.before = h, f, headSize, 0, false, frame.Neighbour{}
	return nil
}

// finish marks the end of the file, makes it durable and closes it.
func (s *Sink) finish() error {
	end := make([]byte, frame.HeaderSize)
	h := frame.Header{Kind: kindRecords, Flags: frame.FlagLast}
	if err := s.put(&h, frame.AppendEnd(end, 0)); err != nil {
		return err
	}
	err := s.syncFile()
	err = errors.Join(err, s.file.Close())
	s.file = nil
	return err
}

// syncFile makes durable what was written.
func (s *Sink) syncFile() error {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if s.synced == s.offset {
		return nil
	}
	if err := s.file.SyncData(); err != nil {
		return err
	}
	if !s.named {
		if err := s.fs.SyncDir(s.dir); err != nil {
			return err
		}
		s.named = true
	}
	s.synced = s.offset
	return nil
}

// sync is syncFile, after which the file is left if it failed: the system may have forgotten what it could not write.
func (s *Sink) sync() error {
	if s.file == nil {
		return nil
	}
	err := s.syncFile()
	if err != nil {
		s.noteFailure(s.file.Close())
		s.file = nil
	}
	return err
}

// afterWrite keeps the promise of the policy.
func (s *Sink) afterWrite() error {
	switch s.o.Sync {
	case SyncBatch:
		if err := s.sync(); err != nil {
			return &driver.Error{Class: driver.Unknown, Err: err}
		}
	case SyncEvery:
		if s.timer == nil {
			s.timer = time.AfterFunc(s.o.Every, s.syncLater)
		}
	}
	return nil
}

// syncLater is what the timer runs. One that was stopped too late finds nothing to do, or does early what another would.
func (s *Sink) syncLater() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.noteFailure(s.sync())
	}
}

// Flush implements driver.Sink. It also returns, once, what failed since the last Flush without anybody being told: those records may
// be lost.
func (s *Sink) Flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return driver.ErrClosed
	}
	return s.told(s.sync())
}

func (s *Sink) told(err error) error {
	err = errors.Join(s.failed, err)
	s.failed = nil
	if err != nil {
		return &driver.Error{Class: driver.Unknown, Err: err}
	}
	return nil
}

// Close implements driver.Sink. Its error may be as Flush's.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return driver.ErrClosed
	}
	s.closed = true
	if s.file == nil {
		return s.told(nil)
	}
	return s.told(s.finish())
}

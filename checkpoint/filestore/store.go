package filestore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/internal/table"
	"github.com/dashhost/dashhost/internal/frame"
	"github.com/dashhost/dashhost/internal/vfs"
)

// Options of Open. The zero value and nil are fine.
type Options struct {
	// ReadOnly opens a store that is there and changes nothing, not even locks. Default false.
	ReadOnly bool
	// LockTimeout is how long an append waits for a lock that another process holds. Default 10 s.
	LockTimeout time.Duration
	// SegmentSize is the size from which the log goes on in a new file, 64 KiB to 1 GiB. Default 64 MiB.
	SegmentSize int64
	// LowSpace is how little free space, in bytes, is worth a warning (driver.Commit.Low, driver.Stats.Low). Default 256 MiB.
	LowSpace int64
}

// DefaultLowSpace is the default of Options.LowSpace.
const DefaultLowSpace = 256 << 20

// DefaultSegmentSize is the default of Options.SegmentSize.
const DefaultSegmentSize = 64 << 20

// store implements driver.Driver, driver.Owners and driver.Maintenance.
type store struct {
	fs    vfs.FS
	dir   string
	o     Options
	locks locker

	id          [16]byte
	incarnation uint64
	version     uint8 // of the identity; raised under the lock

	life   sync.RWMutex
	closed bool // guarded by life

	qmu     sync.Mutex
	queue   []*request
	leading bool

	note      vfs.File // the lock file, for our name; used under the lock
	signature []byte

	mu       sync.Mutex
	table    *table.Table
	names    map[uint64]string    // stream to thread
	lost     map[uint64]*nameless // streams whose thread no sound frame has named yet
	faults   []*driver.Damage     // everything found, in order
	segments map[uint32]*segment
	uses     uint64            // of segments
	newest   uint32            // greatest number seen in the folder
	floor    uint32            // number of the first segment that is kept
	partial  map[string]uint32 // ordinal of the first record seen of threads that a Floor record still has to tell of; nil behind it
	cur      cursor
	sized    place  // end of the log when we last gave the lock back: while it is there, nobody else changed the file's size
	checked  bool   // the space after the end was looked at, since the cursor came into this segment
	clean    bool   // and by us under the lock, so what is torn was cut
	wrote    bool   // we appended something
	buf      []byte // of the writer, between batches
	readBuf  []byte // of reading on, between calls
	readCols *columns
	low      int64 // free space when we last looked, if it was little
	broken   error // why nothing can be appended any more
	indexed  indexState
	ahead    *index // one that covers more than the log holds

	smu  sync.Mutex
	disk durability

	verifying bool              // change nothing, and trust no index
	distrust  bool              // trust no index, but for what it knows of what the log does not hold
	blind     bool              // do not look at the index
	watch     func(place) error // called now and then when the log is read, nil for nothing
}

// cursor is the end of what was read of the log.
type cursor struct {
	seg    *segment
	off    int64
	seq    uint64 // of the next frame
	before frame.Neighbour
	ended  bool // nothing follows in this segment
}

func (c *cursor) place() place {
	if c.seg == nil {
		return place{}
	}
	return place{c.seg.number, c.off}
}

// Open opens the store in a folder, or makes one. The driver has driver.Owners and driver.Maintenance. Any number of processes may
// open one; a process should open it once.
//
// Opening takes no lock unless the store is made: it never waits for a process that writes.
//
// A store is made in a folder that is missing or empty, or that holds what a process left that died while it made one; any other
// is a *ForeignError, and nothing in it is changed. With ReadOnly that, and a folder without a store, is ErrNotFound.
func Open(dir string, o *Options) (driver.Driver, error) {
	var opt Options
	if o != nil {
		opt = *o
	}
	s, err := open(vfs.OS{}, &flocks{}, dir, opt)
	if err != nil {
		if !opt.ReadOnly && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)) {
			err = fmt.Errorf("%w: %w", driver.ErrReadOnly, err)
		}
		return nil, fmt.Errorf("store %s: %w", dir, err)
	}
	return s, nil
}

func open(fsys vfs.FS, locks locker, dir string, o Options) (*store, error) {
	if o.LockTimeout <= 0 {
		o.LockTimeout = 10 * time.Second
	}
	if o.LowSpace == 0 {
		o.LowSpace = DefaultLowSpace
	}
	if o.SegmentSize == 0 {
		o.SegmentSize = DefaultSegmentSize
	}
	if o.SegmentSize < 64<<10 || o.SegmentSize > 1<<30 {
		return nil, fmt.Errorf("segment size %d: want 64 KiB to 1 GiB", o.SegmentSize)
	}
	s := &store{fs: fsys, dir: dir, o: o, locks: locks, disk: newDurability()}
	if err := s.identify(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.closeFiles())
	}
	return s, nil
}

func (s *store) path(name string) string { return s.dir + "/" + name }

func (s *store) fault(d *driver.Damage) {
	for _, f := range s.faults {
		if f.File == d.File && f.Offset == d.Offset && f.Suspect == d.Suspect {
			return
		}
	}
	s.faults = append(s.faults, d)
}

// temp is a name for a temporary file that nobody else uses.
func (s *store) temp(name string) string {
	var b [8]byte
	rand.Read(b[:])
	return fmt.Sprintf("%s.%x.new", name, b)
}

// load reads index and log from the start. s.mu is held.
func (s *store) load() error {
	for {
		err := s.loadOnce()
		if !errors.Is(err, errReload) { // each time the floor has risen, or the end of a segment was replaced
			return err
		}
	}
}

func (s *store) loadOnce() error {
	s.table, s.names, s.lost = table.New(), map[uint64]string{}, map[uint64]*nameless{}
	s.cur, s.checked, s.clean, s.ahead, s.partial = cursor{}, false, false, nil, nil
	if s.segments == nil {
		s.segments = map[uint32]*segment{}
	}
	if err := s.listSegments(); err != nil {
		return err
	}
	if err := s.loadIndex(); err != nil {
		return err
	}
	if s.cur.seg == nil && s.floor > 1 {
		s.partial = map[string]uint32{}
	}
	if err := s.scan(false); err != nil {
		return err
	}
	s.compare()
	return nil
}

// listSegments finds the greatest segment number, and the floor: the newest head that can be read tells it.
func (s *store) listSegments() error {
	names, err := s.fs.ReadDir(s.path("log"))
	if notExist(err) {
		err = &driver.Damage{File: "log", Reason: "the folder is missing"}
	}
	if err != nil {
		return err
	}
	for _, n := range names {
		if strings.HasSuffix(n, ".new") {
			continue
		}
		number, err := strconv.ParseUint(n, 10, 32)
		if err == nil && segmentName(uint32(number)) == "log/"+n {
			s.newest = max(s.newest, uint32(number))
		}
	}
	if s.newest == 0 {
		return &driver.Damage{File: segmentName(1), Reason: "the log has no segment"}
	}
	for n := s.newest; n > s.floor; n-- {
		g, err := s.segment(n)
		if err == nil {
			s.raiseFloor(g.floor)
			return nil
		}
		if !notExist(err) && !errors.Is(err, driver.ErrDamaged) {
			return err
		}
	}
	return nil
}

// raiseFloor takes in that segments before number are not kept, and lets go of them.
func (s *store) raiseFloor(number uint32) {
	if number <= s.floor {
		return
	}
	s.floor = number
	s.table.Forget(number)
	for n, g := range s.segments {
		if n < number {
			delete(s.segments, n)
			_ = g.file.retire() // was only read since the last sync
		}
	}
}

// enter begins a call that Close waits for.
func (s *store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.life.RLock()
	if s.closed {
		s.life.RUnlock()
		return driver.ErrClosed
	}
	return nil
}

// refresh takes in what other processes appended. s.mu is held.
func (s *store) refresh() error { return s.advance(false) }

func (s *store) Thread(ctx context.Context, thread string) (*driver.Thread, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return nil, err
	}
	s.found(thread)
	th := s.table.Get(thread)
	if th == nil {
		return nil, driver.ErrNotFound
	}
	return th.Info(), nil
}

func (s *store) Threads(ctx context.Context, f driver.Filter) iter.Seq2[*driver.Thread, error] {
	return func(yield func(*driver.Thread, error) bool) {
		list, err := s.list(ctx, func() []*driver.Thread { return s.table.List(f) })
		if err != nil {
			yield(nil, err)
			return
		}
		for _, t := range list {
			if !yield(t, nil) {
				return
			}
		}
	}
}

func (s *store) Due(ctx context.Context, before int64, limit int) ([]*driver.Thread, error) {
	return s.list(ctx, func() []*driver.Thread { return s.table.Due(before, limit) })
}

func (s *store) list(ctx context.Context, f func() []*driver.Thread) ([]*driver.Thread, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return nil, err
	}
	return f(), nil
}

// Identity implements driver.Maintenance.
func (s *store) Identity() ([16]byte, uint64) { return s.id, s.incarnation }

// Close implements driver.Driver: a mark that promises everything, the space ahead trimmed, the index written.
func (s *store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.mu.Lock()
	finish := s.wrote && s.broken == nil
	s.mu.Unlock()
	var err error
	if finish {
		err = s.finish()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retire()
	return errors.Join(err, s.closeFiles())
}

func (s *store) finish() error {
	unlock, err := s.lock(context.Background())
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.seal()
	if err = errors.Join(err, unlock()); err != nil {
		return err
	}
	return s.writeIndex()
}

// seal ends what was written with a durable mark. The lock and s.mu are held.
func (s *store) seal() error {
	if err := s.prepare(); err != nil {
		return err
	}
	if err := s.settleTail(); err != nil {
		return err
	}
	if s.cur.ended { // a damaged end of the log: nothing may follow in this segment
		return nil
	}
	if err := s.mark(0); err != nil {
		return err
	}
	if err := trim(s.cur.seg, s.cur.off); err != nil {
		return err
	}
	return s.settleTail()
}

func (s *store) closeFiles() error {
	var err error
	if s.note != nil {
		err = s.note.Close()
	}
	if !s.verifying { // they are somebody else's
		err = errors.Join(err, s.locks.close())
	}
	for _, g := range s.segments {
		err = errors.Join(err, g.file.Close())
	}
	s.segments = nil
	return err
}

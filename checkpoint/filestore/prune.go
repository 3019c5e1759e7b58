package filestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/internal/table"
	"github.com/dashhost/dashhost/internal/frame"
)

const (
	// pruneBatch is about how many bytes are copied while others wait for the lock.
	pruneBatch = 1 << 20
	// pruneRecords is how many records go into one frame at most.
	pruneRecords = 1 << 10
)

// errStale: the thread has changed since its records were read.
var errStale = errors.New("thread has changed")

// Prune implements driver.Maintenance.
func (s *store) Prune(ctx context.Context, o *driver.PruneOptions) (*driver.PruneReport, error) {
	if o == nil {
		o = &driver.PruneOptions{}
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.RUnlock()
	if s.o.ReadOnly && !o.DryRun {
		return nil, driver.ErrReadOnly
	}
	p := &pruner{s: s, o: o, report: &driver.PruneReport{}}
	err := p.prune(ctx)
	return p.report, err
}

// pruner is one Prune. In front of floor nothing is to stay:
//
//	choose   the floor: old segments in which little is wanted
//	copy     what is wanted in front of it to the end of the log, a batch at a time, others in between
//	sync     so that it is there whatever happens
//	raise    a new segment whose head has the floor: from now on what is in front of it is not read
//	remove   the files, oldest first
//
// After a power cut at any point the log is read as before, or from the floor on; files that were left are removed the next time.
type pruner struct {
	s      *store
	o      *driver.PruneOptions
	report *driver.PruneReport
	floor  uint32
	sizes  map[uint32]int64 // of segments
	live   map[uint32]int64 // bytes of frames that hold a wanted record
	end    uint64           // pos behind the newest copy
}

func (p *pruner) prune(ctx context.Context) error {
	if err := p.removeFiles(); err != nil { // left by one that was cut off
		return err
	}
	if p.o.Now && !p.o.DryRun {
		if err := p.s.exclusive(ctx, p.s.freshTail); err != nil {
			return err
		}
	}
	if err := p.choose(ctx); err != nil {
		return err
	}
	s := p.s
	if p.o.DryRun || p.floor <= s.floor {
		p.report.After = p.report.Before
		for n := range p.sizes {
			if n < p.floor {
				p.report.Segments++
				p.report.Moved += p.live[n]
				p.report.After += p.live[n] - p.sizes[n]
			}
		}
		return nil
	}
	for {
		if err := p.evacuate(ctx); err != nil {
			return err
		}
		if err := s.wait(ctx, p.end); err != nil {
			return err
		}
		err := s.exclusive(ctx, func() error { return s.raise(p.floor) })
		if err == nil {
			break
		}
		if !errors.Is(err, errStale) {
			return err
		}
	}
	if err := p.removeFiles(); err != nil {
		return err
	}
	sizes, err := s.segmentSizes()
	for _, size := range sizes {
		p.report.After += size
	}
	return errors.Join(err, s.exclusive(ctx, s.removeOwners))
}

// exclusive runs f when its turn to write has come, with the lock and s.mu held and the log read to its end.
func (s *store) exclusive(ctx context.Context, f func() error) error {
	r := &request{run: f, turn: make(chan bool, 1)}
	s.submit(ctx, r)
	return r.err
}

// freshTail begins a new segment, so that what is in the last one can be moved. An empty one is enough.
func (s *store) freshTail() error {
	if s.cur.off == firstFrame && !s.cur.ended {
		return nil
	}
	return s.rotate()
}

// segmentSizes returns the sizes of the log's files.
func (s *store) segmentSizes() (map[uint32]int64, error) {
	names, err := s.fs.ReadDir(s.path("log"))
	if err != nil {
		return nil, err
	}
	sizes := map[uint32]int64{}
	for _, n := range names {
		number, err := strconv.ParseUint(n, 10, 32)
		if err != nil || segmentName(uint32(number)) != "log/"+n {
			continue
		}
		f, err := s.fs.Open(s.path("log/"+n), false)
		if notExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		size, err := f.Size()
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		sizes[uint32(number)] = size
	}
	return sizes, nil
}

// choose sets the floor.
func (p *pruner) choose(ctx context.Context) (err error) {
	s := p.s
	if p.sizes, err = s.segmentSizes(); err != nil {
		return err
	}
	cursor, err := s.lowestCursor()
	if err != nil {
		return err
	}
	s.mu.Lock()
	err = s.refresh()
	limit, places := p.limit(cursor), s.places()
	p.floor = s.floor
	s.mu.Unlock()
	if err != nil {
		return err
	}
	var total, size, live int64
	for _, n := range p.sizes {
		total += n
	}
	p.report.Before, p.live = total, map[uint32]int64{}
	for n := p.floor; n < limit; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.live[n], err = s.liveBytes(n, places[n]); err != nil {
			return err
		}
		size, live = size+p.sizes[n], live+p.live[n]
		dead := p.sizes[n] - firstFrame - p.live[n]
		switch {
		case p.o.Now && dead > frame.Size(0), !p.o.Now && live <= size/2:
			p.floor = n + 1
		case !p.o.Now && live > total/2: // however little is wanted behind
			return nil
		}
	}
	return nil
}

// limit is the first segment that must stay: the last one, the first one that somebody has not delivered, and the first one with
// anything of a damaged thread. s.mu is held.
func (p *pruner) limit(cursor uint64) uint32 {
	s := p.s
	if s.cur.seg == nil || len(s.lost) > 0 {
		return 0
	}
	limit := s.cur.seg.number
	if p.o.DryRun && p.o.Now { // it would begin a new one first
		limit++
	}
	for n := s.floor; n < limit && cursor > 0; n++ {
		if g := s.segments[n+1]; g == nil || g.seq > cursor+1 {
			limit = n
		}
	}
	for _, name := range s.table.Names() {
		th := s.table.Entry(name)
		if th.Damage == nil && !s.importing(th) {
			continue
		}
		limit = min(limit, max(th.Base, 1))
		for _, r := range th.Refs {
			limit = min(limit, r.Segment)
		}
	}
	return limit
}

// importing says whether an import of th may still come to its end. Of one that was cut off nothing is kept.
func (s *store) importing(th *table.Thread) bool {
	return th.Importing && len(th.Refs) > 0 && th.Refs[len(th.Refs)-1].Segment+1 >= s.cur.seg.number
}

// places returns where wanted frames are, by segment, ascending. s.mu is held.
func (s *store) places() map[uint32][]uint32 {
	places := map[uint32][]uint32{}
	for _, name := range s.table.Names() {
		th := s.table.Get(name)
		if th == nil {
			continue
		}
		for _, r := range th.Refs {
			if of := places[r.Segment]; len(of) == 0 || of[len(of)-1] != r.Offset {
				places[r.Segment] = append(of, r.Offset)
			}
		}
	}
	for n, of := range places {
		slices.Sort(of)
		places[n] = slices.Compact(of)
	}
	return places
}

// liveBytes is how many bytes the frames at offsets of a segment take.
func (s *store) liveBytes(number uint32, offsets []uint32) (int64, error) {
	if len(offsets) == 0 {
		return 0, nil
	}
	s.mu.Lock()
	g, err := s.segment(number)
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	var live int64
	w := window{file: g.file}
	for _, off := range offsets {
		b, err := w.bytes(int64(off), frame.HeaderSize)
		if err != nil {
			return 0, err
		}
		if h, err := frame.Parse(b, g.at(int64(off))); err == nil { // else it is damaged, and that was accepted
			live += frame.Size(h.Length)
		}
	}
	return live, nil
}

// evacuate copies what is wanted in front of the floor, thread by thread.
func (p *pruner) evacuate(ctx context.Context) error {
	s := p.s
	s.mu.Lock()
	var names []string
	for _, name := range s.table.Names() {
		if th := s.table.Get(name); th != nil && (th.Base < p.floor || slices.ContainsFunc(th.Refs, p.before)) {
			names = append(names, name)
		}
	}
	s.mu.Unlock()
	b := &batch{p: p}
	for i, name := range names {
		if err := b.thread(ctx, name); err != nil {
			return err
		}
		if p.o.Progress != nil {
			p.o.Progress(int64(i+1), int64(len(names)))
		}
	}
	return b.flush(ctx)
}

func (p *pruner) before(r table.Ref) bool { return r.Segment < p.floor }

// batch is Floor records that are written in one turn.
type batch struct {
	p    *pruner
	reqs []*request
	size int64
}

// thread copies a thread's records and writes down its state behind them.
func (b *batch) thread(ctx context.Context, name string) error {
	s := b.p.s
	s.mu.Lock()
	var refs []table.Ref
	for _, r := range s.table.Get(name).Refs {
		if b.p.before(r) && r.Kind != 0 { // what is damaged was given up
			refs = append(refs, r)
		}
	}
	s.mu.Unlock()
	var kept []*driver.Record
	var last loaded
	for _, ref := range refs {
		r, err := s.readRecord(ctx, name, ref, &last)
		if errors.Is(err, errGone) {
			continue
		}
		if err != nil {
			return err
		}
		kept = append(kept, r)
		b.size += int64(len(r.Body)) + frame.HeaderSize
		if len(kept) == pruneRecords || b.size > pruneBatch {
			if err := b.records(ctx, name, kept); err != nil {
				return err
			}
			kept = nil
		}
	}
	if err := b.records(ctx, name, kept); err != nil {
		return err
	}
	b.state(name)
	return nil
}

// records adds copies of records.
func (b *batch) records(ctx context.Context, name string, kept []*driver.Record) error {
	if len(kept) == 0 {
		return nil
	}
	slices.SortFunc(kept, func(a, b *driver.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	r := newFloor(name, &floor{kept: kept})
	r.expect.AcceptLoss = true // of a damaged thread that was accepted, or nothing before the floor is damaged
	if err := r.encode(); err != nil {
		return err
	}
	s, p := b.p.s, b.p
	r.needless = func() bool { // unless all are still there they are read again
		th := s.table.Get(name)
		for _, k := range kept {
			if i, ok := th.Find(k.Seq); !ok || !p.before(th.Refs[i]) {
				return true
			}
		}
		return false
	}
	b.reqs = append(b.reqs, r)
	if b.size > pruneBatch {
		return b.flush(ctx)
	}
	return nil
}

// state adds what is known of a thread, as it is when it is written.
func (b *batch) state(name string) {
	s, p := b.p.s, b.p
	f := &floor{segment: p.floor}
	r := newFloor(name, f)
	r.expect.AcceptLoss = true
	r.needless = func() bool {
		th := s.table.Get(name)
		return th.Base >= p.floor && !slices.ContainsFunc(th.Refs, p.before) || slices.ContainsFunc(th.Refs, func(r table.Ref) bool { return p.before(r) && r.Kind != 0 })
	}
	r.ready = func() error {
		th := s.table.Get(name)
		f.state, f.since = th, th.Count+1
		if th.Moved != 0 {
			f.since = th.Moved
		}
		return r.encode()
	}
	b.size += frame.HeaderSize
	b.reqs = append(b.reqs, r)
}

// flush writes the batch and makes it durable.
func (b *batch) flush(ctx context.Context) error {
	if len(b.reqs) == 0 {
		return nil
	}
	s := b.p.s
	s.submitAll(ctx, b.reqs)
	for _, r := range b.reqs {
		if r.err != nil {
			return fmt.Errorf("prune: %w", r.err)
		}
		b.p.end = max(b.p.end, r.pos)
		if r.header.Seq > 0 {
			b.p.report.Moved += frame.Size(r.header.Length)
		}
	}
	b.reqs, b.size = b.reqs[:0], 0
	return s.wait(ctx, b.p.end)
}

// raise begins a segment whose head has the floor, if nothing in front of it is wanted. The lock and s.mu are held.
func (s *store) raise(to uint32) error {
	for _, name := range s.table.Names() {
		th := s.table.Entry(name)
		if th.Base < to && s.importing(th) {
			return fmt.Errorf("import of thread %q: %w", name, driver.ErrBusy)
		}
		if !th.Importing && th.Base < to || !th.Importing && slices.ContainsFunc(th.Refs, func(r table.Ref) bool { return r.Segment < to }) {
			return errStale
		}
	}
	before := s.floor
	s.floor = max(before, to)
	if s.version < version {
		if err := s.upgrade(version); err != nil {
			s.floor = before
			return err
		}
	}
	if err := s.rotate(); err != nil {
		s.floor = before
		return err
	}
	s.table.Forget(to)
	return nil
}

// removeFiles removes the segments in front of the floor, oldest first.
func (p *pruner) removeFiles() error {
	s := p.s
	if p.o.DryRun {
		return nil
	}
	sizes, err := s.segmentSizes()
	if err != nil {
		return err
	}
	var old []uint32
	s.mu.Lock()
	for n := range sizes {
		if n < s.floor {
			old = append(old, n)
		}
	}
	s.mu.Unlock()
	slices.Sort(old)
	for _, n := range old {
		if err := s.fs.Remove(s.path(segmentName(n))); err != nil && !notExist(err) {
			return err
		}
		p.report.Segments++
	}
	if len(old) == 0 {
		return nil
	}
	return s.fs.SyncDir(s.path("log"))
}

// removeOwners removes the files of processes that died, unless something is still to be done about them: a thread that they had
// claimed, or events that they had to deliver. The lock is held, so nobody is about to lock one that it just made.
func (s *store) removeOwners() error {
	ids, err := s.owners()
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, name := range s.table.Names() {
		if th := s.table.Entry(name); th.Claimed {
			needed[th.Owner] = true
		}
	}
	for _, id := range ids {
		path := s.path(ownerPath(id))
		if alive, err := s.locks.held(path); err != nil || alive || needed[id] {
			continue // gone by itself, or it stays
		}
		if in, err := s.readOwner(path); err != nil || in.Cursor > 0 {
			continue
		}
		if err := s.fs.Remove(path); err != nil && !notExist(err) {
			return err
		}
	}
	return nil
}

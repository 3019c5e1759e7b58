package filesink

import (
	"container/heap"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/dashhost/dashhost/internal/vfs"
	"github.com/dashhost/dashhost/streaming/driver"
)

// Entry is a record as it was read. Its bytes belong to whoever got it.
type Entry struct {
	Writer string // id
	Number uint64 // within the writer, from 1
	Stream string
	Record driver.Record
}

// Position is what was read: by writer, the number of its last record.
type Position map[string]uint64

// String is the position as JSON, for ParsePosition.
func (p Position) String() string {
	b, err := json.Marshal(map[string]uint64(p)) // keys are sorted
	if err != nil {
		panic("BUG: a position has no JSON: " + err.Error())
	}
	return string(b)
}

// ParsePosition is the inverse of Position.String; "" is the beginning. The error is ErrOptions.
func ParsePosition(text string) (Position, error) {
	p := Position{}
	if text == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return nil, fmt.Errorf("%w: position %q: %w", ErrOptions, text, err)
	}
	for writer := range p {
		if _, err := ulid.ParseStrict(writer); err != nil {
			return nil, fmt.Errorf("%w: position: %q is not the id of a writer", ErrOptions, writer)
		}
	}
	return p, nil
}

// ReaderOptions say where a Reader begins and when it stops.
type ReaderOptions struct {
	// After is the position behind which reading begins. Default: the beginning.
	After Position
	// Since leaves out records of events before it, in microseconds since 1970. Default: none.
	Since int64
	// Follow is how long to wait at the end before looking again. Default 0: stop there.
	Follow time.Duration
}

// Reader reads a folder that Sinks write to, while they do. It is used by one goroutine at a time.
type Reader struct {
	fs      vfs.FS
	dir     string
	o       ReaderOptions
	sources map[ulid.ULID]*source
	failed  map[ulid.ULID]bool
	ready   queue // sources that may have an entry
	pos     Position
}

// NewReader returns a reader of a folder, which need not be there yet. o may be nil.
func NewReader(dir string, o *ReaderOptions) *Reader { return newReader(vfs.OS{}, dir, o) }

func newReader(fsys vfs.FS, dir string, o *ReaderOptions) *Reader {
	r := &Reader{fs: fsys, dir: dir, sources: map[ulid.ULID]*source{}, failed: map[ulid.ULID]bool{}, pos: Position{}}
	if o != nil {
		r.o = *o
		maps.Copy(r.pos, o.After)
	}
	return r
}

// Position is behind the last entry that All gave. A reader that begins there goes on with the next one.
func (r *Reader) Position() Position { return maps.Clone(r.pos) }

// All gives the entries: of one writer in the order in which they were written, of all merged by time. Errors stand between entries,
// and whoever ranges decides whether to go on: *DamageError for what cannot be read, *TornError for half a frame at the end of a file
// (what stands at the end of a writer's last file is told only when not following, as it may be about to be finished), others if a file cannot be read at
// all, after which its writer is left out. When ctx ends its error is the last one. After All has ended it may be called again, and
// goes on.
func (r *Reader) All(ctx context.Context) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		defer r.closeAll()
		for {
			if !r.scan(yield) || !r.drain(ctx, yield) {
				return
			}
			if r.o.Follow <= 0 {
				r.reportTails(yield)
				return
			}
			if err := wait(ctx, r.o.Follow); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// scan finds files, and makes every source ready that may have something. Like all that yields it returns false when nobody wants more.
func (r *Reader) scan(yield func(*Entry, error) bool) bool {
	names, err := r.fs.ReadDir(r.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return yield(nil, err)
	}
	for _, name := range names {
		if writer, number, ok := parseName(name); ok {
			r.source(writer).add(number)
		}
	}
	r.ready = r.ready[:0]
	for id, s := range r.sources {
		if r.failed[id] || s.at >= len(s.numbers) && len(s.entries) == 0 {
			continue
		}
		if s.order == 0 {
			if created, err := s.created(); err == nil {
				s.order = created // else 0: it is looked at first, and says then what is wrong
			}
		}
		r.ready = append(r.ready, s)
	}
	heap.Init(&r.ready)
	return true
}

func (r *Reader) source(writer ulid.ULID) *source {
	s := r.sources[writer]
	if s == nil {
		s = &source{fs: r.fs, dir: r.dir, writer: writer, after: r.pos[writer.String()]}
		r.sources[writer] = s
	}
	return s
}

// drain gives out everything that is there.
func (r *Reader) drain(ctx context.Context, yield func(*Entry, error) bool) bool {
	for len(r.ready) > 0 {
		if err := ctx.Err(); err != nil {
			yield(nil, err)
			return false
		}
		s := r.ready[0]
		before := s.order
		have, err := s.load()
		switch {
		case err != nil:
			if !r.fault(s, err, yield) {
				return false
			}
		case !have:
			heap.Pop(&r.ready)
			if err := s.close(); err != nil && !yield(nil, err) {
				return false
			}
		case s.order > before:
			heap.Fix(&r.ready, 0)
		default:
			if !r.give(s, yield) {
				return false
			}
		}
	}
	return true
}

// give hands out the next entry of a source.
func (r *Reader) give(s *source, yield func(*Entry, error) bool) bool {
	e := s.pop()
	r.pos[e.Writer] = e.Number
	heap.Fix(&r.ready, 0)
	return e.Record.Time < r.o.Since || yield(e, nil)
}

// fault hands out an error; a source that cannot be read at all is left out from then on.
func (r *Reader) fault(s *source, err error, yield func(*Entry, error) bool) bool {
	if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrTorn) {
		r.failed[s.writer] = true
		heap.Pop(&r.ready)
		err = errors.Join(err, s.close())
	}
	return yield(nil, err)
}

// reportTails hands out what stands at the ends and is no frame.
func (r *Reader) reportTails(yield func(*Entry, error) bool) {
	for _, id := range slices.SortedFunc(maps.Keys(r.sources), ulid.ULID.Compare) {
		if err := r.sources[id].tail; err != nil && !yield(nil, err) {
			return
		}
	}
}

func (r *Reader) closeAll() {
	for _, s := range r.sources {
		_ = s.close() // was only read
	}
}

// queue is a heap of sources by their next entry.
type queue []*source

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].less(q[j]) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *queue) Push(x any) { *q = append(*q, x.(*source)) }

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	old := *q
	s := old[len(old)-1]
	*q = old[:len(old)-1]
	return s
}

package host

import (
	"slices"
	"sync"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/internal/engine"
)

// Types of events, in Event.Type.
const (
	EventRunStart  = "run_start"  // the input is recorded
	EventRunEnd    = "run_end"    // the run is done
	EventRunError  = "run_error"  // the run failed
	EventRunStop   = "run_stop"   // the run stopped before its end
	EventNodeStart = "node_start" // a task was scheduled
	EventNodeEnd   = "node_end"   // a task is done
	EventNodeRetry = "node_retry" // an attempt failed, another follows
	EventNodeError = "node_error" // the last attempt failed
	EventStep      = "step"       // a superstep is recorded
	EventInterrupt = "interrupt"  // a question is open
	EventAnswer    = "answer"     // and was answered
)

// Event is something that happened in a run and is durable. Seq numbers a
// thread's events from 1 without gaps, the same after a crash.
type Event struct {
	Type       string
	Thread     string
	Run        string
	Seq        uint64
	Time       time.Time // when it was recorded
	Step       int
	Node, Path string
	Attempt    int
	Tasks      int           // step: how many the next one has
	Duration   time.Duration // of the attempt; step: since the one before
	Checkpoint string
	Status     string
	Question   string // id; interrupt and answer
	Err        *Error
}

// eventOf puts an event of the engine into the form of this package. An input
// is a checkpoint, but no superstep.
func eventOf(e engine.Event, last *time.Time) (Event, bool) {
	at := time.UnixMicro(e.Time)
	out := Event{
		Type: string(e.Type), Thread: e.Thread, Run: e.Run, Seq: e.Seq, Time: at, Step: e.Step, Node: e.Node, Path: e.Path,
		Attempt: e.Attempt, Tasks: e.Tasks, Duration: e.Duration, Checkpoint: e.Checkpoint, Status: e.Status, Question: e.Question, Err: e.Err,
	}
	if e.Type != engine.EventCheckpoint {
		return out, true
	}
	out.Type = EventStep
	if !last.IsZero() {
		out.Duration = at.Sub(*last)
	}
	first := last.IsZero()
	*last = at
	return out, !first
}

// RecordEvents derives the events of a stored record: the same that a run told
// when the record became durable.
func RecordEvents(r *checkpoint.Record) ([]Event, error) {
	evs, err := engine.Events(r)
	if err != nil {
		return nil, err
	}
	var out []Event
	last := time.UnixMicro(r.Time)
	for _, e := range evs {
		ev, _ := eventOf(e, &last)
		out = append(out, ev)
	}
	return out, nil
}

// feedSize is how many events wait for somebody who reads them.
const feedSize = 4096

// feed hands events from the engine to one reader. Without a reader it keeps
// the newest feedSize; with one, a full feed makes the engine wait.
type feed struct {
	mu      sync.Mutex
	change  *sync.Cond // events, reading or closed changed
	events  []Event
	last    time.Time // of the last checkpoint
	reading bool
	ending  bool // nobody waits for the reader any more
	closed  bool
}

func newFeed(since time.Time) *feed {
	f := &feed{last: since}
	f.change = sync.NewCond(&f.mu)
	return f
}

func (f *feed) emit(e engine.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ev, ok := eventOf(e, &f.last)
	if !ok {
		return
	}
	for f.reading && !f.ending && len(f.events) >= feedSize {
		f.change.Wait()
	}
	if !f.reading && len(f.events) >= 2*feedSize { // seldom, so that dropping one costs no more than telling one
		f.events = slices.Delete(f.events, 0, len(f.events)-feedSize)
	}
	f.events = append(f.events, ev)
	f.change.Broadcast()
}

// end lets the run go on to its end without waiting for the reader, who still
// gets everything.
func (f *feed) end() {
	f.mu.Lock()
	f.ending = true
	f.change.Broadcast()
	f.mu.Unlock()
}

func (f *feed) close() {
	f.mu.Lock()
	f.closed = true
	f.change.Broadcast()
	f.mu.Unlock()
}

// all is the iterator behind Run.Events. The lock is not held while the loop
// body runs, which may panic or end its goroutine.
func (f *feed) all(yield func(Event) bool) {
	var batch []Event
	f.read(true, nil)
	defer func() { f.read(false, batch) }()
	for {
		if batch = f.next(); len(batch) == 0 {
			return
		}
		for len(batch) > 0 {
			e := batch[0]
			batch = batch[1:]
			if !yield(e) {
				return
			}
		}
	}
}

// read notes that somebody reads, or stops and leaves events for the next one.
func (f *feed) read(reading bool, left []Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.reading && len(f.events) > feedSize {
		f.events = f.events[len(f.events)-feedSize:]
	}
	f.reading = reading
	f.events = append(left, f.events...)
	f.change.Broadcast()
}

// next waits for events and takes all of them. There are none when the run has
// ended.
func (f *feed) next() []Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.events) == 0 && !f.closed {
		f.change.Wait()
	}
	batch := f.events
	f.events = nil
	f.change.Broadcast()
	return batch
}

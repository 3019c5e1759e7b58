package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
)

// EventType says what happened.
type EventType string

// Lifecycle events. Each is made by exactly one record of the log.
const (
	EventRunStart   EventType = "run_start"  // a new turn was recorded
	EventRunEnd     EventType = "run_end"    // the run is done
	EventRunError   EventType = "run_error"  // the run failed
	EventRunStop    EventType = "run_stop"   // the run stopped before its end and can be resumed
	EventNodeStart  EventType = "node_start" // a task was scheduled
	EventNodeEnd    EventType = "node_end"   // a task is done
	EventNodeRetry  EventType = "node_retry" // an attempt failed, another follows
	EventNodeError  EventType = "node_error" // the last attempt failed
	EventCheckpoint EventType = "checkpoint" // a superstep was recorded
	EventInterrupt  EventType = "interrupt"  // a question is open
	EventAnswer     EventType = "answer"     // and was answered
)

// Event is a lifecycle event. Events of a thread are a pure function of its
// log: sent again after a crash they are the same, with the same numbers.
type Event struct {
	Type       EventType
	Thread     string
	Namespace  string
	Run        string // branch
	Seq        uint64 // number within the thread, from 1, without gaps
	Time       int64  // microseconds since 1970: when the record was appended
	Step       int
	Node, Path string
	Attempt    int
	Tasks      int           // checkpoint: tasks that the next step has
	Duration   time.Duration // node_end, node_retry, node_error
	Checkpoint string        // id of the step record
	Status     string        // of the thread after the event; checkpoint and run events
	Live       uint32        // node_end: live events that the attempt sent
	Question   string        // interrupt, answer: id of the question
	Err        *Error        // node_retry, node_error, run_error
}

// Events derives the lifecycle events of a record. A record of a kind that
// makes none gives none.
func Events(r *checkpoint.Record) ([]Event, error) {
	switch r.Kind {
	case checkpoint.KindStep:
		m, err := DecodeStep(r)
		if err != nil {
			return nil, err
		}
		return numbered(r, m.events()), nil
	case checkpoint.KindTaskDone, checkpoint.KindTaskFailed:
		m, err := DecodeTask(r)
		if err != nil {
			return nil, err
		}
		return numbered(r, m.events(r.Kind)), nil
	case checkpoint.KindInterrupt:
		m, err := DecodeInterrupt(r)
		if err != nil {
			return nil, err
		}
		return numbered(r, m.events()), nil
	case checkpoint.KindAnswer:
		m, err := DecodeAnswer(r)
		if err != nil {
			return nil, err
		}
		return numbered(r, m.events()), nil
	case checkpoint.KindRelease:
		if len(r.Meta) == 0 {
			return nil, nil
		}
		m, err := DecodeRelease(r)
		if err != nil {
			return nil, err
		}
		return numbered(r, m.events()), nil
	}
	return nil, nil
}

// numbered fills in what all events of a record share.
func numbered(r *checkpoint.Record, evs []Event) []Event {
	for i := range evs {
		evs[i].Thread, evs[i].Namespace = r.Thread, r.Namespace
		evs[i].Seq = r.FirstEvent + uint64(i)
		evs[i].Time = r.Time
		evs[i].Checkpoint = r.Parent
		if r.Kind == checkpoint.KindStep {
			evs[i].Checkpoint = r.ID
		}
	}
	return evs
}

func (m *StepMeta) events() []Event {
	evs := make([]Event, 0, m.count())
	if m.Source == SourceInput {
		evs = append(evs, Event{Type: EventRunStart, Run: m.Branch, Step: m.Step, Status: StatusRunning})
	}
	for _, d := range m.Done {
		evs = append(evs, d.event(EventNodeEnd, m.Branch, m.Step))
	}
	for _, e := range m.Errors {
		evs = append(evs, Event{Type: EventNodeError, Run: m.Branch, Step: m.Step, Node: e.Node, Path: e.Path, Attempt: e.Attempt, Duration: e.Duration, Err: e})
	}
	cp := Event{Type: EventCheckpoint, Run: m.Branch, Step: m.Step, Status: m.Status}
	at := len(evs)
	evs = append(evs, cp)
	for _, p := range m.Next {
		if p.Defer || m.Source == SourceUpgrade {
			continue
		}
		start := Event{Type: EventNodeStart, Run: m.Branch, Step: m.Step + 1, Node: p.Node, Path: p.Path, Attempt: 1}
		if p.Each == nil {
			evs = append(evs, start)
			continue
		}
		for i := range *p.Each {
			start.Path = eachPath(i)
			evs = append(evs, start)
		}
	}
	evs[at].Tasks = len(evs) - at - 1
	if m.ends() {
		evs = append(evs, Event{Type: EventRunEnd, Run: m.Branch, Step: m.Step, Status: m.Status})
	}
	return evs
}

// ends reports a record with which a run is done: edits of a done thread do not
// end it again.
func (m *StepMeta) ends() bool {
	return m.Status == StatusDone && (m.Source == SourceLoop || m.Source == SourceInput)
}

// count is len(m.events()) without making them.
func (m *StepMeta) count() uint32 {
	n := 1 + len(m.Done) + len(m.Errors)
	if m.Source == SourceInput {
		n++
	}
	if m.ends() {
		n++
	}
	for _, p := range m.Next {
		switch {
		case p.Defer || m.Source == SourceUpgrade:
		case p.Each != nil:
			n += *p.Each
		default:
			n++
		}
	}
	return uint32(n)
}

func (e Ended) event(t EventType, branch string, step int) Event {
	return Event{Type: t, Run: branch, Step: step, Node: e.Node, Path: e.Path, Attempt: e.Attempt, Duration: time.Duration(e.Duration) * time.Microsecond, Live: e.Live}
}

func (m *TaskMeta) events(kind checkpoint.Kind) []Event {
	if m.Copy {
		return nil
	}
	t := EventNodeEnd
	switch {
	case kind == checkpoint.KindTaskFailed && m.Final:
		t = EventNodeError
	case kind == checkpoint.KindTaskFailed:
		t = EventNodeRetry
	}
	e := m.event(t, m.Branch, m.Step)
	e.Err = m.Error
	return []Event{e}
}

func (m *ReleaseMeta) events() []Event {
	e := Event{Run: m.Branch, Step: m.Step, Status: m.Status, Err: m.Error}
	switch m.Status {
	case StatusFailed:
		e.Type = EventRunError
	case StatusStopped, StatusCancelled:
		e.Type = EventRunStop
	default:
		return nil
	}
	return []Event{e}
}

// outbox holds events of records that are written but not yet durable, in any
// order.
type outbox struct {
	events []Event
	taken  []Event // what take returned last, to be used again
	sent   uint64  // number of the last event that was taken
}

func (o *outbox) add(evs []Event) { o.events = append(o.events, evs...) }

// take removes the events up to number last, in order; with stopAtGap only as
// far as no number is missing. The slice is good until the next take.
func (o *outbox) take(last uint64, stopAtGap bool) []Event {
	slices.SortFunc(o.events, func(a, b Event) int { return cmp.Compare(a.Seq, b.Seq) })
	n := 0
	for n < len(o.events) && o.events[n].Seq <= last {
		if stopAtGap && o.events[n].Seq != o.sent+1 {
			break
		}
		o.sent = o.events[n].Seq
		n++
	}
	if n == len(o.events) {
		o.events, o.taken = o.taken[:0], o.events
		return o.taken
	}
	o.taken = append(o.taken[:0], o.events[:n]...)
	o.events = slices.Delete(o.events, 0, n)
	return o.taken
}

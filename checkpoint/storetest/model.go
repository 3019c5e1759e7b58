package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
)

// world is what a store must be, written down as plainly as possible: a list of values per entry, all states kept.
type world struct {
	threads map[string]*life
}

type life struct {
	epoch  uint64
	events uint64
	steps  []moment
	gone   []string // ids of dropped steps
	tail   int
	exists bool
	held   *checkpoint.Claim
	by     *checkpoint.Store
}

type moment struct {
	id    string
	state map[string]string
}

// Model runs random operations over two handles and compares every answer with a plain model. Drivers that pass it with the same
// operations give the same answers.
func Model(t *testing.T, open Open) {
	rapid.Check(t, func(rt *rapid.T) {
		again := open(t)
		m := &machine{t: rt, again: again, world: world{threads: map[string]*life{}}}
		m.stores = []*checkpoint.Store{m.store(), m.store()}
		rt.Repeat(map[string]func(*rapid.T){
			"claim": m.claim, "step": m.step, "step2": m.step, "step3": m.step, "task": m.task, "release": m.release, "delete": m.remove,
			"fork": m.fork, "reopen": m.reopen, "cancel": m.cancel, "prune": m.prune, "": m.check,
		})
		for _, s := range m.stores {
			if err := s.Close(); err != nil {
				rt.Fatal(err)
			}
		}
	})
}

type machine struct {
	t      *rapid.T
	again  func() driver.Driver
	stores []*checkpoint.Store
	world  world
	n      int
}

func (m *machine) store() *checkpoint.Store { return checkpoint.New(m.again(), nil) }

func (m *machine) pick(t *rapid.T) (string, *life) {
	name := rapid.SampledFrom([]string{"a", "b", "b/c"}).Draw(t, "thread")
	l := m.world.threads[name]
	if l == nil {
		l = &life{}
		m.world.threads[name] = l
	}
	return name, l
}

func (m *machine) claim(t *rapid.T) {
	name, l := m.pick(t)
	s := rapid.SampledFrom(m.stores).Draw(t, "store")
	take := rapid.Bool().Draw(t, "take over")
	c, err := s.Claim(context.Background(), name, &checkpoint.ClaimOptions{TakeOver: take})
	if l.held != nil && !take {
		if !errors.Is(err, checkpoint.ErrBusy) {
			t.Fatalf("claim of held %q: %v", name, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("claim of %q: %v", name, err)
	}
	if old := l.held; old != nil {
		if _, err := old.Append(context.Background(), step()); !errors.Is(err, checkpoint.ErrFenced) {
			t.Fatalf("append of the old claim of %q: %v", name, err)
		}
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
	}
	l.epoch++
	if c.Epoch() != l.epoch || c.New() == l.exists {
		t.Fatalf("claim of %q: epoch %d, new %v; want %d, %v", name, c.Epoch(), c.New(), l.epoch, !l.exists)
	}
	l.held, l.by, l.exists = c, s, true
	l.tail++
}

func (m *machine) step(t *rapid.T) {
	name, l := m.pick(t)
	if l.held == nil {
		return
	}
	base := map[string]string{}
	if n := len(l.steps); n > 0 {
		base = l.steps[n-1].state
	}
	m.append(t, name, l, base, "")
}

func (m *machine) fork(t *rapid.T) {
	name, l := m.pick(t)
	if l.held == nil || len(l.steps) == 0 {
		return
	}
	at := rapid.SampledFrom(l.steps).Draw(t, "from")
	m.append(t, name, l, at.state, at.id)
}

func (m *machine) append(t *rapid.T, name string, l *life, base map[string]string, parent string) {
	state := maps.Clone(base)
	r := &checkpoint.Record{Kind: checkpoint.KindStep, Parent: parent, Events: rapid.Uint32Range(0, 3).Draw(t, "events")}
	for range rapid.IntRange(0, 4).Draw(t, "ops") {
		m.n++
		entry := rapid.SampledFrom([]string{"x", "y", "list"}).Draw(t, "entry")
		size := rapid.SampledFrom([]int{1, 10, 30_000}).Draw(t, "size")
		value := fmt.Sprintf(`"%d%s"`, m.n, strings.Repeat("z", size))
		switch op := rapid.SampledFrom([]string{"put", "add", "del"}).Draw(t, "op"); {
		case op == "del":
			delete(state, entry)
			r.Ops = append(r.Ops, del(entry))
		case op == "add" && entry == "list":
			if old := strings.TrimSuffix(state[entry], "]"); old == "" || old == "[" {
				state[entry] = "[" + value + "]"
			} else {
				state[entry] = old + "," + value + "]"
			}
			r.Ops = append(r.Ops, add(entry, value))
		default:
			if entry == "list" {
				value = "[]"
			}
			state[entry] = value
			r.Ops = append(r.Ops, put(entry, value))
		}
	}
	if _, err := l.held.Append(context.Background(), r); err != nil {
		t.Fatalf("step of %q: %v", name, err)
	}
	if r.FirstEvent != l.events+1 {
		t.Fatalf("first event %d, want %d", r.FirstEvent, l.events+1)
	}
	l.events += uint64(r.Events)
	l.steps = append(l.steps, moment{r.ID, state})
	l.tail = 0
}

func (m *machine) task(t *rapid.T) {
	if _, l := m.pick(t); l.held != nil {
		if _, err := l.held.Append(context.Background(), &checkpoint.Record{Kind: checkpoint.KindTaskDone, Task: "ab", Parts: [][]byte{{1}}}); err != nil {
			t.Fatal(err)
		}
		l.tail++
	}
}

func (m *machine) release(t *rapid.T) {
	if _, l := m.pick(t); l.held != nil {
		if err := l.held.Release(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		l.held = nil
		l.tail++
	}
}

func (m *machine) cancel(t *rapid.T) {
	name, l := m.pick(t)
	_, err := m.stores[0].Cancel(context.Background(), name, nil)
	if l.exists != (err == nil) || err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
		t.Fatalf("cancel of %q: %v", name, err)
	}
	if l.exists {
		l.tail++
	}
}

func (m *machine) remove(t *rapid.T) {
	name, l := m.pick(t)
	err := m.stores[1].Delete(context.Background(), name, true)
	if !l.exists {
		if !errors.Is(err, checkpoint.ErrNotFound) {
			t.Fatalf("delete of %q: %v", name, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if l.held != nil {
		if err := l.held.Close(); err != nil {
			t.Fatal(err)
		}
	}
	m.world.threads[name] = &life{epoch: l.epoch + 1, events: l.events}
}

func (m *machine) prune(t *rapid.T) {
	s := rapid.SampledFrom(m.stores).Draw(t, "store")
	keep := rapid.IntRange(1, 4).Draw(t, "keep")
	rep, err := s.Prune(context.Background(), &checkpoint.PruneOptions{KeepLast: keep, Now: rapid.Bool().Draw(t, "now")})
	if err != nil {
		t.Fatalf("prune: %v", err)
	}
	dropped := int64(0)
	for _, l := range m.world.threads {
		if n := len(l.steps) - keep; n > 0 {
			for _, st := range l.steps[:n] {
				l.gone = append(l.gone, st.id)
			}
			l.steps = slices.Clone(l.steps[n:])
			dropped += int64(n)
		}
	}
	if rep.Steps != dropped {
		t.Fatalf("prune dropped %d steps, want %d", rep.Steps, dropped)
	}
}

func (m *machine) reopen(t *rapid.T) {
	i := rapid.IntRange(0, 1).Draw(t, "which")
	old := m.stores[i]
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	m.stores[i] = m.store()
	for name, l := range m.world.threads {
		if l.held == nil || l.by != old {
			continue
		}
		c, err := m.stores[i].Claim(context.Background(), name, nil)
		if err != nil || !c.Crashed() {
			t.Fatalf("claim of %q after its owner ended: %v", name, err)
		}
		l.epoch++
		l.tail++
		l.held, l.by = c, m.stores[i]
	}
}

// check compares everything that can be asked.
func (m *machine) check(t *rapid.T) {
	for _, s := range m.stores {
		var names []string
		for info, err := range s.Threads(context.Background(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, info.Thread)
			l := m.world.threads[info.Thread]
			if l == nil || !l.exists || info.Epoch != l.epoch || info.Claimed != (l.held != nil) || info.Alive != info.Claimed || info.Events != l.events {
				t.Fatalf("thread %+v, want %+v", info, l)
			}
		}
		var want []string
		for _, name := range slices.Sorted(maps.Keys(m.world.threads)) {
			if m.world.threads[name].exists {
				want = append(want, name)
			}
		}
		if !slices.Equal(names, want) {
			t.Fatalf("threads %q, want %q", names, want)
		}
		for name, l := range m.world.threads {
			m.checkThread(t, s, name, l)
		}
	}
}

func (m *machine) checkThread(t *rapid.T, s *checkpoint.Store, name string, l *life) {
	ctx := context.Background()
	if len(l.steps) == 0 {
		if _, _, err := s.State(ctx, name, "", ""); !errors.Is(err, checkpoint.ErrNotFound) {
			t.Fatalf("state of %q without steps: %v", name, err)
		}
		return
	}
	for _, id := range l.gone[max(0, len(l.gone)-1):] {
		if _, _, err := s.State(ctx, name, "", id); !errors.Is(err, checkpoint.ErrNotFound) {
			t.Fatalf("state of %q at %q, which was dropped: %v", name, id, err)
		}
	}
	last := l.steps[len(l.steps)-1]
	some := l.steps[len(l.steps)/2]
	for id, want := range map[string]moment{"": last, some.id: some, l.steps[0].id: l.steps[0]} {
		r, st, err := s.State(ctx, name, "", id)
		if err != nil {
			t.Fatalf("state of %q at %q: %v", name, id, err)
		}
		if got := maps.Collect(st.All()); r.ID != want.id || len(got) != len(want.state) {
			t.Fatalf("state of %q at %s: %d entries at %s, want %d at %s", name, id, len(got), r.ID, len(want.state), want.id)
		}
		for n, v := range st.All() {
			if string(v) != want.state[n] {
				t.Fatalf("state of %q at %s: entry %q is not what was written", name, id, n)
			}
		}
	}
	if l.held == nil {
		return
	}
	snap, err := l.held.Load(ctx, "")
	if err != nil || snap.Head.ID != last.id || len(snap.Tail) != l.tail {
		t.Fatalf("load of %q: %v, head %+v, %d after it, want %d", name, err, snap.Head, len(snap.Tail), l.tail)
	}
}

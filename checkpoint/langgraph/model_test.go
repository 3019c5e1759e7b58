package langgraph

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
)

// model is what LangGraph expects of a saver, kept the simplest way: every checkpoint has all its values.
type model struct {
	threads map[string]map[string]*mspace // by thread, ns
	serial  int
}

type mspace struct {
	checkpoints map[string]*mcheckpoint
	writes      map[string]map[mkey]mwrite // by checkpoint id
}

type mcheckpoint struct {
	parent   string
	fields   obj
	values   map[string]string
	versions map[string]any
}

type mkey struct {
	task  string
	index int
}

type mwrite struct{ path, channel, value string }

func (m *model) space(thread, ns string) *mspace {
	if m.threads[thread] == nil {
		m.threads[thread] = map[string]*mspace{}
	}
	s := m.threads[thread][ns]
	if s == nil {
		s = &mspace{checkpoints: map[string]*mcheckpoint{}, writes: map[string]map[mkey]mwrite{}}
		m.threads[thread][ns] = s
	}
	return s
}

func (s *mspace) ids() []string { return slices.Sorted(maps.Keys(s.checkpoints)) }

func (s *mspace) newest() string {
	if ids := s.ids(); len(ids) > 0 {
		return ids[len(ids)-1]
	}
	return ""
}

// ordered are a checkpoint's writes as LangGraph applies them.
func (s *mspace) ordered(id string) []writeMessage {
	keys := slices.SortedFunc(maps.Keys(s.writes[id]), func(a, b mkey) int {
		return cmp.Or(cmp.Compare(s.writes[id][a].path, s.writes[id][b].path), cmp.Compare(a.task, b.task), cmp.Compare(a.index, b.index))
	})
	out := []writeMessage{}
	for _, k := range keys {
		w := s.writes[id][k]
		out = append(out, writeMessage{Task: k.task, Channel: w.channel, Value: val(w.value)})
	}
	return out
}

func (s *mspace) tuple(thread, ns, id string) *tuple {
	c := s.checkpoints[id]
	if c == nil {
		return nil
	}
	t := &tuple{Thread: thread, NS: ns, ID: id, Parent: c.parent, Checkpoint: *val("checkpoint " + id), Metadata: *val("metadata of " + id), Writes: s.ordered(id)}
	for _, channel := range slices.Sorted(maps.Keys(c.values)) {
		t.Values = append(t.Values, valueMessage{Channel: channel, Value: val(c.values[channel])})
	}
	return t
}

func (s *mspace) remove(gone func(id string, c *mcheckpoint) bool) {
	for id, c := range s.checkpoints {
		if gone(id, c) {
			delete(s.checkpoints, id)
			delete(s.writes, id)
		}
	}
}

// prune keeps the newest checkpoint, what its delta channels need, and writes that are before their time.
func (s *mspace) prune() {
	top := s.newest()
	if top == "" {
		return
	}
	kept := map[string]bool{top: true}
	if since, ok := s.checkpoints[top].fields[counters].(obj); ok {
		for channel := range since {
			for id := top; s.checkpoints[id] != nil; id = s.checkpoints[id].parent {
				kept[id] = true
				if _, ok := s.checkpoints[id].values[channel]; ok {
					break
				}
			}
		}
	}
	s.remove(func(id string, _ *mcheckpoint) bool { return !kept[id] })
	for id := range s.writes {
		if !kept[id] && id < top {
			delete(s.writes, id)
		}
	}
}

func (s *mspace) history(id string, channels []string) []channelHistory {
	out := []channelHistory{}
	for _, channel := range channels {
		h := channelHistory{Channel: channel, Writes: []writeMessage{}}
		c := s.checkpoints[id]
		for c != nil {
			at := c.parent
			if c = s.checkpoints[at]; c == nil {
				break
			}
			own := slices.DeleteFunc(s.ordered(at), func(w writeMessage) bool { return w.Channel != channel })
			h.Writes = append(own, h.Writes...)
			if v, ok := c.values[channel]; ok {
				h.Seed = val(v)
				break
			}
		}
		out = append(out, h)
	}
	return out
}

var (
	someThreads  = []string{"t", "thread two", "ü/../x"}
	someSpaces   = []string{"", "child:1|grand:2"}
	someChannels = []string{"messages", "d", "count"}
)

// TestModel: random operations, by clients of two servers over one store, against the model.
func TestModel(t *testing.T) {
	for name, fresh := range drivers(t) {
		t.Run(name, func(t *testing.T) { checkModel(t, 60, fresh) })
	}
}

// checkModel runs that many sequences of operations, unless the flag says another number, each on a store of its own.
func checkModel(t *testing.T, checks int, fresh func() func() driver.Driver) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set(fmt.Sprint(checks)); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := f.Value.Set(f.DefValue); err != nil {
				t.Error(err)
			}
		}()
	}
	rapid.Check(t, func(t *rapid.T) {
		reopen := fresh()
		first, second := checkpoint.New(reopen(), nil), checkpoint.New(reopen(), nil)
		defer first.Close()
		defer second.Close()
		small := &Options{Index: 2000} // so small that threads are forgotten
		servers := []*Server{New(first, nil), New(second, small)}
		servers[1].page, servers[1].rewrites = 2, 0 // small pages, and removal as if others put all the time
		m := &machine{m: &model{threads: map[string]map[string]*mspace{}}, clients: []*client{connect(t, servers[0]), connect(t, servers[1])}}
		m.integers = rapid.Bool().Draw(t, "integers")
		for _, c := range m.clients {
			defer c.close(t)
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": m.put, "child": m.put, "again": m.putAgain, "copy": m.fork, "writes": m.putWrites, "get": m.get, "list": m.list,
			"history": m.history, "delete": m.deleteThread, "runs": m.deleteForRuns, "copy thread": m.copyThread, "prune": m.prune,
		})
	})
}

type machine struct {
	m        *model
	clients  []*client
	integers bool // versions are counted by integers, as JavaScript's savers do: two branches give out the same ones
	copies   int
}

func (x *machine) client(t *rapid.T) *client { return rapid.SampledFrom(x.clients).Draw(t, "client") }

func (x *machine) place(t *rapid.T) (thread, ns string, s *mspace) {
	threads := append(slices.Clone(someThreads), slices.Sorted(maps.Keys(x.m.threads))...)
	thread, ns = rapid.SampledFrom(threads).Draw(t, "thread"), rapid.SampledFrom(someSpaces).Draw(t, "ns")
	return thread, ns, x.m.space(thread, ns)
}

// id is a new one, mostly greater than all before.
func (x *machine) id(t *rapid.T, s *mspace) string {
	x.m.serial++
	at := x.m.serial + rapid.SampledFrom([]int{0, 0, 0, -5}).Draw(t, "skew")
	return fmt.Sprintf("%05d-%d", at, x.m.serial)
}

func (x *machine) put(t *rapid.T) {
	thread, ns, s := x.place(t)
	c := &mcheckpoint{values: map[string]string{}, versions: map[string]any{}, fields: obj{"step": x.m.serial, "run_id": rapid.SampledFrom([]string{"r1", "r2", "r3"}).Draw(t, "run")}}
	if ids := s.ids(); len(ids) > 0 && rapid.IntRange(0, 9).Draw(t, "root") > 0 {
		c.parent = ids[len(ids)-1-min(len(ids)-1, rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "back"))]
		maps.Copy(c.values, s.checkpoints[c.parent].values)
		maps.Copy(c.versions, s.checkpoints[c.parent].versions)
	}
	if rapid.Bool().Draw(t, "delta") {
		c.fields[counters] = obj{"d": []int{1, 1}}
	}
	id := x.id(t, s)
	values := []obj{}
	for _, channel := range someChannels {
		was, _ := c.versions[channel].(int)
		switch rapid.SampledFrom([]string{"same", "new", "empty"}).Draw(t, channel) {
		case "new":
			c.versions[channel], c.values[channel] = x.version(was, id), fmt.Sprintf("%s at %s", channel, id)
			values = append(values, obj{"channel": channel, "version": c.versions[channel], "value": val(c.values[channel])})
		case "empty":
			c.versions[channel] = x.version(was, id)
			delete(c.values, channel)
			values = append(values, obj{"channel": channel, "version": c.versions[channel]})
		}
	}
	s.checkpoints[id] = c
	x.client(t).ok(t, putOf(thread, ns, id, c.parent, c.fields, c.versions, values), nil)
}

func (x *machine) version(was int, id string) any {
	if x.integers {
		return was + 1
	}
	return "v" + id
}

// putAgain changes the metadata of a checkpoint that is there: its values are those from before.
func (x *machine) putAgain(t *rapid.T) {
	thread, ns, s := x.place(t)
	if len(s.checkpoints) == 0 {
		return
	}
	id := rapid.SampledFrom(s.ids()).Draw(t, "id")
	c := s.checkpoints[id]
	c.fields = obj{"step": -1, "again": true}
	x.client(t).ok(t, putOf(thread, ns, id, c.parent, c.fields, c.versions, nil), nil)
}

// fork puts a copy of a checkpoint beside it, without any new version: its values are those of no ancestor.
func (x *machine) fork(t *rapid.T) {
	thread, ns, s := x.place(t)
	if len(s.checkpoints) == 0 || x.integers {
		return
	}
	from := s.checkpoints[rapid.SampledFrom(s.ids()).Draw(t, "id")]
	id := x.id(t, s)
	c := &mcheckpoint{parent: from.parent, fields: obj{"source": "fork"}, values: maps.Clone(from.values), versions: maps.Clone(from.versions)}
	s.checkpoints[id] = c
	x.client(t).ok(t, putOf(thread, ns, id, c.parent, c.fields, c.versions, nil), nil)
}

func (x *machine) putWrites(t *rapid.T) {
	thread, ns, s := x.place(t)
	id := fmt.Sprintf("%05d-%d", x.m.serial+1, x.m.serial+1) // of a checkpoint that may come
	if len(s.checkpoints) > 0 && rapid.IntRange(0, 4).Draw(t, "early") > 0 {
		id = rapid.SampledFrom(s.ids()).Draw(t, "id")
	}
	task, path := rapid.SampledFrom([]string{"a", "b", "ü"}).Draw(t, "task"), rapid.SampledFrom([]string{"", "p1", "p2"}).Draw(t, "path")
	if s.writes[id] == nil {
		s.writes[id] = map[mkey]mwrite{}
	}
	var writes []obj
	for i := range rapid.IntRange(1, 3).Draw(t, "writes") {
		index := rapid.SampledFrom([]int{i, i, -3}).Draw(t, "index")
		channel, value := rapid.SampledFrom(someChannels).Draw(t, "channel"), fmt.Sprint("w", x.m.serial, i)
		writes = append(writes, write(index, channel, value))
		if _, there := s.writes[id][mkey{task, index}]; !there || index < 0 {
			s.writes[id][mkey{task, index}] = mwrite{path, channel, value}
		}
	}
	x.m.serial++
	x.client(t).ok(t, writesOf(thread, ns, id, task, path, writes...), nil)
}

func compare(t *rapid.T, what string, got, want any) {
	t.Helper()
	if d := gocmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

func (x *machine) get(t *rapid.T) {
	thread, ns, s := x.place(t)
	c := x.client(t)
	compare(t, "newest", c.tuple(t, thread, ns, ""), s.tuple(thread, ns, s.newest()))
	for id := range s.checkpoints {
		compare(t, "checkpoint "+id, c.tuple(t, thread, ns, id), s.tuple(thread, ns, id))
	}
	if got := c.tuple(t, thread, ns, "never"); got != nil {
		t.Fatalf("a checkpoint that never was: %+v", got)
	}
}

func (x *machine) list(t *rapid.T) {
	q := obj{}
	thread, ns, s := x.place(t)
	oneThread, oneSpace := rapid.Bool().Draw(t, "one thread"), rapid.Bool().Draw(t, "one ns")
	var filter obj
	if rapid.Bool().Draw(t, "filter") {
		filter = obj{"run_id": rapid.SampledFrom([]any{"r1", "r2", nil}).Draw(t, "value")}
		q["filter"] = filter
	}
	before := ""
	if rapid.Bool().Draw(t, "before") {
		if before = s.newest(); before != "" {
			q["before"] = before
		}
	}
	var want []*tuple
	for _, name := range slices.Sorted(maps.Keys(x.m.threads)) {
		if oneThread && name != thread {
			continue
		}
		var all []*tuple
		for space, s := range x.m.threads[name] {
			for id, c := range s.checkpoints {
				if oneSpace && space != ns || before != "" && id >= before || filter != nil && c.fields["run_id"] != filter["run_id"] {
					continue
				}
				all = append(all, s.tuple(name, space, id))
			}
		}
		slices.SortFunc(all, func(a, b *tuple) int { return cmp.Or(cmp.Compare(b.ID, a.ID), cmp.Compare(a.NS, b.NS)) })
		want = append(want, all...)
	}
	if oneThread {
		q["thread"] = thread
	}
	if oneSpace {
		q["ns"] = ns
	}
	if limit := rapid.IntRange(0, 5).Draw(t, "limit"); limit < 5 {
		q["limit"] = limit
		want = want[:min(limit, len(want))]
	}
	b, _ := json.Marshal(q)
	compare(t, fmt.Sprintf("list %s", b), x.client(t).list(t, q), want)
}

func (x *machine) history(t *rapid.T) {
	thread, ns, s := x.place(t)
	id := s.newest()
	if len(s.checkpoints) > 0 {
		id = rapid.SampledFrom(s.ids()).Draw(t, "id")
	}
	var got historyReply
	x.client(t).ok(t, obj{"op": "delta_history", "thread": thread, "ns": ns, "checkpoint_id": id, "channels": someChannels}, &got)
	compare(t, "history of "+id, got.Channels, s.history(id, someChannels))
}

func (x *machine) deleteThread(t *rapid.T) {
	thread, _, _ := x.place(t)
	delete(x.m.threads, thread)
	x.client(t).ok(t, obj{"op": "delete_thread", "thread": thread}, nil)
}

func (x *machine) deleteForRuns(t *rapid.T) {
	run := rapid.SampledFrom([]string{"r1", "r2", "none"}).Draw(t, "run")
	for _, spaces := range x.m.threads {
		for _, s := range spaces {
			s.remove(func(_ string, c *mcheckpoint) bool { return c.fields["run_id"] == run })
		}
	}
	x.client(t).ok(t, obj{"op": "delete_for_runs", "runs": []string{run}}, nil)
}

func (x *machine) copyThread(t *rapid.T) {
	thread, _, _ := x.place(t)
	x.copies++
	to := fmt.Sprint("copy", x.copies)
	there := false
	for ns, s := range x.m.threads[thread] {
		there = there || len(s.checkpoints)+len(s.writes) > 0
		own := x.m.space(to, ns)
		for id, c := range s.checkpoints {
			copied := *c
			own.checkpoints[id] = &copied
		}
		for id, w := range s.writes {
			own.writes[id] = maps.Clone(w)
		}
	}
	if !there {
		delete(x.m.threads, to)
		x.client(t).fails(t, codeNotFound, obj{"op": "copy_thread", "from": thread, "to": to})
		return
	}
	x.client(t).ok(t, obj{"op": "copy_thread", "from": thread, "to": to}, nil)
}

func (x *machine) prune(t *rapid.T) {
	thread, _, _ := x.place(t)
	strategy := rapid.SampledFrom([]string{keepLatest, keepLatest, deleteAll}).Draw(t, "strategy")
	if strategy == deleteAll {
		delete(x.m.threads, thread)
	}
	for _, s := range x.m.threads[thread] {
		s.prune()
	}
	x.client(t).ok(t, obj{"op": "prune", "threads": []string{thread, "never was"}, "strategy": strategy}, nil)
}

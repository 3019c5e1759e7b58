package hosttest

import (
	"context"
	"fmt"
	"slices"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/memstore"
	"github.com/dashhost/dashhost/host"
)

// T is what is used of a *testing.T or *testing.B.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
	TempDir() string
	Context() context.Context
}

// Host is a host.Host for one test, with a store in memory.
type Host struct {
	*host.Host
	Clock *Clock

	t      T
	memory *memstore.Memory
}

// New returns a host that is closed when the test ends. A nil clock stands still
// at Epoch, and waiting, as between two attempts of a task, takes no time. The
// random grant gives the bytes of Random(1), from their beginning after each
// Restart too.
func New(t T, c *Clock) *Host {
	t.Helper()
	if c == nil {
		c = standing()
	}
	h := &Host{Clock: c, t: t, memory: memstore.NewMemory()}
	h.open()
	t.Cleanup(h.close)
	return h
}

func (h *Host) open() {
	h.t.Helper()
	var err error
	h.Host, err = host.New(&host.Options{Clock: h.Clock, Random: Random(1), OpenStore: func(context.Context, string) (*checkpoint.Store, error) {
		return checkpoint.New(h.memory.Open(), &checkpoint.Options{Now: h.Clock.Now}), nil
	}})
	if err != nil {
		h.t.Fatalf("hosttest: %v", err)
	}
}

func (h *Host) close() {
	h.t.Helper()
	if err := h.Host.Close(context.Background()); err != nil {
		h.t.Errorf("hosttest: close the host: %v", err)
	}
}

// Restart closes the host, which stops its runs, and opens another one on the
// same store, as the next process of a program would. Graphs of before are gone.
func (h *Host) Restart() {
	h.t.Helper()
	h.close()
	h.open()
}

// Options of Run, Start and Resume. Nil is fine.
type Options struct {
	Nodes     host.Nodes // Go functions for native nodes; default none
	Input     []byte     // as the manifest binds it; nil = the manifest's default. Resume does not use it
	InputJSON bool       // the input is JSON although the manifest binds text
	Thread    string     // default "test"; Resume does not use it
	Answers   []Answer   // to questions; default none
}

// Answer is an answer that a test has ready. Each is given once, to the first
// question that fits it.
type Answer struct {
	Node  string // that asks, or that the manifest interrupts before; "" = any
	Path  string // of its task; "" = any
	Value string // JSON
}

func (a *Answer) fits(q *host.Question) bool {
	return (a.Node == "" || a.Node == q.Node) && (a.Path == "" || a.Path == q.Path)
}

// Load loads a manifest and fails the test if that does not work.
func (h *Host) Load(manifest string, nodes host.Nodes) *host.Graph {
	h.t.Helper()
	g, err := h.Host.Load(h.t.Context(), manifest, &host.LoadOptions{Nodes: nodes})
	if err != nil {
		h.t.Fatalf("hosttest: load:\n%v", err)
	}
	return g
}

// Start loads a manifest and starts a run of it, for tests that do something
// while it goes on. Wait takes it to its end.
func (h *Host) Start(manifest string, o *Options) *host.Run {
	h.t.Helper()
	o = o.withDefaults()
	g := h.Load(manifest, o.Nodes)
	run, err := h.Host.Start(h.t.Context(), g, o.Input, &host.RunOptions{Thread: o.Thread, InputJSON: o.InputJSON})
	if err != nil {
		h.t.Fatalf("hosttest: start: %v", err)
	}
	return run
}

// Run loads a manifest, runs it to its end and answers its questions.
func (h *Host) Run(manifest string, o *Options) *Outcome {
	h.t.Helper()
	return h.Wait(h.Start(manifest, o), o)
}

// Resume goes on with a thread to its end and answers its questions, those that
// are open already too.
func (h *Host) Resume(thread string, o *Options) *Outcome {
	h.t.Helper()
	o = o.withDefaults()
	open, err := host.Questions(h.t.Context(), h.Store(), thread)
	if err != nil {
		h.t.Fatalf("hosttest: questions of thread %s: %v", thread, err)
	}
	script := slices.Clone(o.Answers)
	run := h.resume(thread, o, take(&script, open))
	return h.wait(run, o, script)
}

func (h *Host) resume(thread string, o *Options, answers []host.Answer) *host.Run {
	h.t.Helper()
	run, err := h.Host.Resume(h.t.Context(), thread, &host.ResumeOptions{Nodes: o.Nodes, Answers: answers})
	if err != nil {
		h.t.Fatalf("hosttest: resume thread %s: %v", thread, err)
	}
	return run
}

// Wait takes a run to its end, as Run does. Of o only Nodes and Answers count.
func (h *Host) Wait(run *host.Run, o *Options) *Outcome {
	h.t.Helper()
	o = o.withDefaults()
	return h.wait(run, o, slices.Clone(o.Answers))
}

func (h *Host) wait(run *host.Run, o *Options, script []Answer) *Outcome {
	h.t.Helper()
	out := &Outcome{}
	for {
		h.finish(run, out)
		answers := take(&script, out.Questions)
		if len(answers) == 0 {
			break
		}
		run = h.resume(run.Thread(), o, answers)
	}
	for _, a := range script {
		h.t.Errorf("hosttest: nobody asked for the answer %s%s", a.Value, of(a.Node, a.Path))
	}
	out.State = h.state(run.Thread())
	return out
}

// finish reads a run's events and its result.
func (h *Host) finish(run *host.Run, out *Outcome) {
	h.t.Helper()
	for ev := range run.Events() {
		out.Events = append(out.Events, ev)
	}
	res, err := run.Wait(h.t.Context())
	if err != nil {
		h.t.Fatalf("hosttest: run: %v", err)
	}
	out.Result = res
}

// take finds answers to the open questions and removes them from the script.
func take(script *[]Answer, open []host.Question) []host.Answer {
	var out []host.Answer
	for i := range open {
		q := &open[i]
		at := slices.IndexFunc(*script, func(a Answer) bool { return a.fits(q) })
		if at < 0 {
			continue
		}
		out = append(out, host.Answer{ID: q.ID, Value: []byte((*script)[at].Value)})
		*script = slices.Delete(*script, at, at+1)
	}
	return out
}

func of(node, path string) string {
	switch {
	case node == "":
		return ""
	case path == "":
		return " for node " + node
	}
	return fmt.Sprintf(" for node %s[%s]", node, path)
}

// Store is the host's store.
func (h *Host) Store() *checkpoint.Store {
	h.t.Helper()
	s, err := h.Host.Store(h.t.Context())
	if err != nil {
		h.t.Fatalf("hosttest: store: %v", err)
	}
	return s
}

// state reads the channels of a thread.
func (h *Host) state(thread string) map[string]string {
	h.t.Helper()
	_, st, err := h.Store().State(h.t.Context(), thread, "", "")
	if err != nil {
		h.t.Fatalf("hosttest: state of thread %s: %v", thread, err)
	}
	out := map[string]string{}
	for name, raw := range host.Channels(st) {
		out[name] = string(raw)
	}
	return out
}

func (o *Options) withDefaults() *Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.Thread == "" {
		out.Thread = "test"
	}
	return &out
}

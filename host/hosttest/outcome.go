package hosttest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/internal/rawjson"
)

// Outcome is how a run ended and what happened on the way. With answers, the
// result is that of the last part of the run, and the events are those of all.
type Outcome struct {
	*host.Result
	Events []host.Event
	State  map[string]string // channels of the newest checkpoint as raw JSON
}

// Trace tells the events one line each, without times and ids:
//
//	run_start
//	node_start a[2]
//	node_retry a[2]: unavailable
//	node_end a[2]
//	step 1
//	run_end
//
// What tasks of one step do side by side is sorted by node and path, so that
// the lines are the same whichever was faster.
func (o *Outcome) Trace() []string {
	evs := slices.Clone(o.Events)
	for i := 0; i < len(evs); {
		n := i + 1
		for n < len(evs) && sideBySide(evs[i], evs[n]) {
			n++
		}
		slices.SortStableFunc(evs[i:n], func(a, b host.Event) int {
			return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(len(a.Path), len(b.Path)), cmp.Compare(a.Path, b.Path))
		})
		i = n
	}
	lines := make([]string, len(evs))
	for i, ev := range evs {
		lines[i] = line(ev)
	}
	return lines
}

func sideBySide(a, b host.Event) bool { return ofAttempt(a) && ofAttempt(b) && a.Step == b.Step }

func ofAttempt(e host.Event) bool {
	switch e.Type {
	case host.EventNodeEnd, host.EventNodeRetry, host.EventNodeError, host.EventInterrupt:
		return true
	}
	return false
}

func line(e host.Event) string {
	s := e.Type
	switch {
	case e.Type == host.EventStep:
		s = fmt.Sprintf("%s %d", s, e.Step)
	case e.Path != "":
		s += fmt.Sprintf(" %s[%s]", e.Node, e.Path)
	case e.Node != "":
		s += " " + e.Node
	}
	if e.Err != nil {
		s += ": " + e.Err.Code
	}
	return s
}

// Want is what a test expects of an Outcome.
type Want struct {
	Status string            // "" = done, or failed if there is a Code
	Code   string            // of the error; "" = there is none
	Output string            // text as it is, or JSON: space and order of keys do not count; "" = not compared
	State  map[string]string // these channels, as JSON; others are not compared. "" = never written
	Events []string          // all of Trace; nil = not compared
}

// Check fails the test with everything in which the outcome differs from w. Nil
// wants a run that is done.
func (o *Outcome) Check(t T, w *Want) {
	t.Helper()
	if w == nil {
		w = &Want{}
	}
	status, code := w.Status, ""
	if status == "" {
		status = "done"
		if w.Code != "" {
			status = "failed"
		}
	}
	if o.Err != nil {
		code = o.Err.Code
	}
	if o.Status != status || code != w.Code {
		t.Errorf("run: %s, want %s", ending(o.Status, code, o.Err), ending(status, w.Code, nil))
	}
	if w.Output != "" && !same(string(o.Output), w.Output, !o.OutputText) {
		t.Errorf("output:\n got %s\nwant %s", o.Output, w.Output)
	}
	for _, name := range slices.Sorted(maps.Keys(w.State)) {
		if got, want := o.State[name], w.State[name]; !same(got, want, true) {
			t.Errorf("channel %s:\n got %s\nwant %s", name, got, want)
		}
	}
	if got := o.Trace(); w.Events != nil && !slices.Equal(got, w.Events) {
		t.Errorf("events:\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(w.Events, "\n     "))
	}
}

func ending(status, code string, e *host.Error) string {
	switch {
	case e != nil:
		return fmt.Sprintf("%s (%v)", status, e)
	case code != "":
		return fmt.Sprintf("%s (%s)", status, code)
	}
	return status
}

// same compares two texts, or what they mean as JSON.
func same(got, want string, isJSON bool) bool {
	if got == want || !isJSON {
		return got == want
	}
	g, errGot := rawjson.Canonical(nil, []byte(got))
	w, errWant := rawjson.Canonical(nil, []byte(want))
	return errGot == nil && errWant == nil && string(g) == string(w)
}

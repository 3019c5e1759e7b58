package capability

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/host/workflow"
)

var someTask = TaskID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// open makes a Set for a node that is granted nothing and may write a and b.
func open(change func(c *Config)) *Set {
	c := &Config{
		Node:     &workflow.Node{Name: "check", Writes: []string{"a", "b"}, Config: []byte(`{"x":1}`)},
		Task:     someTask,
		Input:    []byte(`{"in":1}`),
		Routes:   []string{"next", workflow.End},
		StepTime: 1_700_000_000_000_000,
	}
	if change != nil {
		change(c)
	}
	return New(c)
}

// grantAll gives a node everything.
func grantAll(c *Config) {
	c.Node.Interrupts = true
	c.Asked = []Asked{{Question: []byte(`"?"`), Answer: []byte(`"yes"`)}}
	c.Node.Grants = workflow.Grants{
		Clock: true, Random: true, Checkpoint: true,
		KV: &workflow.KVGrant{}, HTTP: &workflow.HTTPGrant{}, Telemetry: &workflow.TelemetryGrant{},
	}
}

func startSet() *Set {
	return Start(&workflow.Node{Name: "check", Config: []byte(`{"x":1}`)}, strings.Repeat("0a", 32), nil)
}

// calls has a call with good arguments for every function of the ABI. A function without one fails
// TestEveryFunction.
var calls = map[abi.FuncID]func(s *Set) error{
	abi.FnInputRead: func(s *Set) error { return wantBytes(s.Input(), `{"in":1}`) },
	abi.FnConfigRead: func(s *Set) error {
		return wantBytes(s.Config(), `{"x":1}`)
	},
	abi.FnMetaRead:    func(s *Set) error { return json.Unmarshal(s.Meta(), &map[string]any{}) },
	abi.FnOutputWrite: func(s *Set) error { return s.OutputWrite([]byte(`{"a":1}`)) },
	abi.FnFail:        func(s *Set) error { return s.Fail([]byte("no"), 0) },
	abi.FnLastError:   func(*Set) error { return nil }, // answered by package guest, which knows the call's errors
	abi.FnRouteTo:     func(s *Set) error { return s.RouteTo([]byte("next")) },
	abi.FnRouteSend:   func(s *Set) error { return s.RouteSend([]byte("next"), []byte(`1`)) },
	abi.FnInterrupt:   func(s *Set) error { _, err := s.Interrupt([]byte(`"?"`)); return err },
	abi.FnAnswerRead: func(s *Set) error {
		if _, err := s.Interrupt([]byte(`"?"`)); err != nil && abi.ErrnoOf(err) != abi.Denied {
			return err
		}
		_, err := s.Answer()
		return err
	},
	abi.FnLog:            func(s *Set) error { s.Log(abi.LevelInfo, []byte("hello")); return nil },
	abi.FnLogEnabled:     func(s *Set) error { s.LogEnabled(abi.LevelInfo); return nil },
	abi.FnEventEmit:      func(s *Set) error { return s.EventEmit([]byte("t"), []byte(`1`)) },
	abi.FnStreamWrite:    func(s *Set) error { return s.StreamWrite([]byte("l"), []byte("x")) },
	abi.FnMetric:         func(s *Set) error { return s.Metric(0, []byte("m"), 1) },
	abi.FnCheckpointSave: func(s *Set) error { _, err := s.CheckpointSave([]byte("x")); return err },
	abi.FnCheckpointLoad: func(s *Set) error { _, err := s.CheckpointLoad(); return err },
	abi.FnKVGet:          func(s *Set) error { _, _, err := s.KVGet([]byte("k")); return err },
	abi.FnKVPut:          func(s *Set) error { _, err := s.KVPut([]byte("k"), []byte("v"), -1); return err },
	abi.FnKVDelete:       func(s *Set) error { return s.KVDelete([]byte("k"), -1) },
	abi.FnKVList:         func(s *Set) error { _, err := s.KVList(nil, nil, 100); return err },
	abi.FnHTTPFetch:      func(s *Set) error { _, err := s.HTTPFetch([]byte(`{}`), nil); return err },
	abi.FnHTTPHead:       func(s *Set) error { _, err := s.HTTPHead(1); return err },
	abi.FnHTTPBody:       func(s *Set) error { _, err := s.HTTPBody(1, make([]byte, 8)); return err },
	abi.FnHTTPClose:      func(s *Set) error { return s.HTTPClose(1) },
	abi.FnClockNow:       func(s *Set) error { s.Now(); return nil },
	abi.FnRandom:         func(s *Set) error { return s.Random(make([]byte, 8)) },
}

func wantBytes(got []byte, want string) error {
	if string(got) != want {
		return errors.New("got " + string(got) + ", want " + want)
	}
	return nil
}

// through calls a function the way a guest or a native node reaches it.
func through(s *Set, id abi.FuncID, phase abi.Phase) error {
	if err := s.Enter(id, phase); err != nil {
		return err
	}
	return calls[id](s)
}

func TestEveryFunction(t *testing.T) {
	for _, f := range abi.Functions() {
		t.Run(f.Name, func(t *testing.T) {
			if calls[f.ID] == nil {
				t.Fatalf("no case for %s: add one", f.Name)
			}
			free := f.Grant == abi.GrantNone || f.Grant == abi.GrantClock
			served := free || f.Grant == abi.GrantRandom || f.Grant == abi.GrantInterrupts
			var bare, granted, start abi.Errno
			if !free {
				bare = abi.Denied
			}
			if !served {
				granted = abi.Unsupported
			}
			if f.Phases&abi.PhaseStart == 0 {
				start = abi.Denied
			}
			for _, c := range []struct {
				name  string
				set   *Set
				phase abi.Phase
				want  abi.Errno
			}{
				{"without grant", open(nil), abi.PhaseRun, bare},
				{"with all grants", open(grantAll), abi.PhaseRun, granted},
				{"in the start phase", startSet(), abi.PhaseStart, start},
				{"handle of the run used in the start phase", open(grantAll), abi.PhaseStart, abi.Denied},
				{"handle of the start phase used in the run", startSet(), abi.PhaseRun, abi.Denied},
			} {
				err := through(c.set, f.ID, c.phase)
				if got := abi.ErrnoOf(err); got != c.want {
					t.Errorf("%s: %v, want errno %d", c.name, err, c.want)
				}
				if err != nil && !strings.HasPrefix(err.Error(), c.want.String()+": "+f.Name+": ") {
					t.Errorf("%s: text %q does not name the function", c.name, err)
				}
			}
			s := open(grantAll)
			s.Close()
			if err := through(s, f.ID, abi.PhaseRun); !errors.Is(err, ErrClosed) || abi.ErrnoOf(err) != abi.Denied {
				t.Errorf("closed: %v", err)
			}
		})
	}
}

// One grant opens its own functions and no others.
func TestOneGrantOpensOnlyItsFunctions(t *testing.T) {
	for grant, give := range map[abi.Grant]func(n *workflow.Node){
		abi.GrantTelemetry:  func(n *workflow.Node) { n.Grants.Telemetry = &workflow.TelemetryGrant{} },
		abi.GrantCheckpoint: func(n *workflow.Node) { n.Grants.Checkpoint = true },
		abi.GrantKV:         func(n *workflow.Node) { n.Grants.KV = &workflow.KVGrant{} },
		abi.GrantHTTP:       func(n *workflow.Node) { n.Grants.HTTP = &workflow.HTTPGrant{} },
		abi.GrantClock:      func(n *workflow.Node) { n.Grants.Clock = true },
		abi.GrantRandom:     func(n *workflow.Node) { n.Grants.Random = true },
		abi.GrantInterrupts: func(n *workflow.Node) { n.Interrupts = true },
	} {
		s := open(func(c *Config) { give(c.Node) })
		for _, f := range abi.Functions() {
			allowed := f.Grant == grant || f.Grant == abi.GrantNone || f.ID == abi.FnClockNow
			if err := s.Enter(f.ID, abi.PhaseRun); (err == nil) != allowed {
				t.Errorf("grant %s: Enter(%s) = %v", grant, f.Name, err)
			}
		}
	}
}

func TestUnknownFunction(t *testing.T) {
	for _, s := range []*Set{open(grantAll), startSet()} {
		for _, id := range []abi.FuncID{abi.FuncCount, 63, 64, 255} {
			if err := s.Enter(id, abi.PhaseRun); abi.ErrnoOf(err) != abi.Invalid {
				t.Errorf("Enter(%d) = %v", id, err)
			}
		}
	}
}

// After Close no method has an effect, whatever it returns.
func TestClosedHandleChangesNothing(t *testing.T) {
	var log bytes.Buffer
	s := open(func(c *Config) {
		grantAll(c)
		c.Logger = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace})
	})
	if err := s.OutputWrite([]byte(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	s.Stdio(1, []byte("half"))
	s.Close()
	s.Close()
	for id := range calls {
		if err := calls[id](s); err == nil && changes[id] {
			t.Errorf("%v: no error from a closed handle", id)
		}
	}
	s.Stdio(1, []byte("a line\n"))
	if _, err := s.Effect(abi.EffectHTTP); !errors.Is(err, ErrClosed) {
		t.Errorf("Effect: %v", err)
	}
	if err := s.Sleep(context.Background(), int64(time.Hour/time.Microsecond)); !errors.Is(err, ErrClosed) {
		t.Errorf("Sleep: %v", err)
	}
	want := &Outcome{Output: []byte(`{"a":1}`), Writes: []Write{{Channel: "a", Value: []byte("1")}}}
	if got := s.Finish(); !reflect.DeepEqual(got, want) {
		t.Errorf("outcome %+v, want %+v", got, want)
	}
	if log.Len() > 0 {
		t.Errorf("logged %q", &log)
	}
}

// changes are the functions that leave something in the outcome.
var changes = map[abi.FuncID]bool{
	abi.FnOutputWrite: true, abi.FnFail: true, abi.FnRouteTo: true, abi.FnRouteSend: true, abi.FnRandom: true,
}

// A native node goes on, on several goroutines, while its attempt is ended. What Finish gave does not
// change any more. Run with -race.
func TestCloseWhileNodeGoesOn(t *testing.T) {
	for range 20 {
		s := open(grantAll)
		var wg sync.WaitGroup
		busy := make(chan struct{}, 4)
		for range cap(busy) {
			wg.Go(func() {
				for n, ended := 0, false; !ended; n++ {
					for _, f := range abi.Functions() {
						ended = errors.Is(through(s, f.ID, abi.PhaseRun), ErrClosed) || ended
					}
					if n == 0 {
						busy <- struct{}{}
					}
				}
			})
		}
		<-busy
		s.Close()
		before := s.Finish()
		sends, routes := len(before.Sends), slices.Clone(before.Routes)
		wg.Wait()
		after := s.Finish()
		if len(after.Sends) != sends || !slices.Equal(after.Routes, routes) {
			t.Fatalf("outcome changed after Close: %d sends, then %d", sends, len(after.Sends))
		}
	}
}

func TestMeta(t *testing.T) {
	s := open(func(c *Config) {
		c.Meta = Meta{
			Workflow: `say "hi"`, Thread: "pr-42\n", Run: "r", Attempt: 2, Superstep: 1<<63 + 1,
			Deadline: 1500 * time.Millisecond, Traceparent: "00-ab-cd-01",
		}
	})
	var got map[string]any
	d := json.NewDecoder(bytes.NewReader(s.Meta()))
	d.UseNumber()
	if err := d.Decode(&got); err != nil {
		t.Fatalf("%s: %v", s.Meta(), err)
	}
	want := map[string]any{
		"workflow": `say "hi"`, "thread": "pr-42\n", "run": "r", "node": "check", "task": "000102030405060708090a0b0c0d0e0f",
		"attempt": json.Number("2"), "superstep": json.Number("9223372036854775809"), "deadline_us": json.Number("1500000"),
		"traceparent": "00-ab-cd-01",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if strings.Contains(string(open(nil).Meta()), "traceparent") {
		t.Error("traceparent without a trace")
	}
}

func TestArgsAndEnviron(t *testing.T) {
	s := open(nil)
	if len(s.Args()) != 0 || len(s.Environ()) != 0 {
		t.Errorf("without grant: %q %q", s.Args(), s.Environ())
	}
	give := func(n *workflow.Node) {
		n.Grants.Args = []string{"-v"}
		n.Grants.Env = map[string]string{"Z": "1", "A": "x=y", "M": ""}
	}
	start := startSet()
	give(start.cfg.Node)
	for _, s := range []*Set{open(func(c *Config) { give(c.Node) }), start} {
		if got := s.Environ(); !slices.Equal(got, []string{"A=x=y", "M=", "Z=1"}) || !slices.Equal(s.Args(), []string{"-v"}) {
			t.Errorf("got %q %q", s.Args(), got)
		}
	}
}

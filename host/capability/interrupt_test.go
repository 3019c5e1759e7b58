package capability

import (
	"bytes"
	"testing"

	"github.com/dashhost/dashhost/abi"
)

// asker is a set of a node that may ask, with clock and randomness.
func asker(asked []Asked, calls []byte) *Set {
	return open(func(c *Config) {
		grantAll(c)
		c.Asked, c.Calls = asked, calls
	})
}

func TestAskAndAnswer(t *testing.T) {
	s := asker(nil, nil)
	if _, err := s.Answer(); abi.ErrnoOf(err) != abi.NotFound {
		t.Errorf("answer before a question: %v", err)
	}
	if _, err := s.Interrupt([]byte(`{"deploy?"`)); abi.ErrnoOf(err) != abi.Invalid {
		t.Errorf("question that is not JSON: %v", err)
	}
	q := []byte(`"deploy?"`)
	if _, err := s.Interrupt(q); abi.ErrnoOf(err) != abi.Pending {
		t.Fatalf("first question: %v", err)
	}
	q[1] = 'X' // the guest's memory is its own
	if _, err := s.Effect(abi.EffectKV); abi.ErrnoOf(err) != abi.Pending {
		t.Errorf("effect after a question: %v", err)
	}
	if _, err := s.Interrupt([]byte(`"another"`)); abi.ErrnoOf(err) != abi.Pending {
		t.Errorf("question after a question: %v", err)
	}
	out := s.Finish()
	if out.Ask == nil || string(out.Ask.Question) != `"deploy?"` {
		t.Fatalf("ask %+v", out.Ask)
	}

	s = asker([]Asked{{Question: []byte(`"deploy?"`), Answer: []byte(`true`)}}, out.Ask.Calls)
	if n, err := s.Interrupt([]byte(`"deploy?"`)); n != 4 || err != nil {
		t.Errorf("answered question: %d, %v", n, err)
	}
	if a, err := s.Answer(); string(a) != "true" || err != nil {
		t.Errorf("answer %s, %v", a, err)
	}
	if _, err := s.Interrupt([]byte(`"sure?"`)); abi.ErrnoOf(err) != abi.Pending {
		t.Errorf("second question: %v", err)
	}
	if a, _ := s.Answer(); string(a) != "true" {
		t.Errorf("answer while the second question is open: %s", a)
	}
}

func TestDivergence(t *testing.T) {
	s := asker([]Asked{{Question: []byte(`1`), Answer: []byte(`true`)}}, nil)
	if _, err := s.Interrupt([]byte(`2`)); abi.ErrnoOf(err) != abi.Conflict {
		t.Errorf("another question: %v", err)
	}
	if out := s.Finish(); out.Diverged == "" {
		t.Error("the outcome does not say so")
	}
	// Another sequence of calls is seen too.
	first := asker(nil, nil)
	first.Now()
	_, _ = first.Interrupt([]byte(`1`))
	s = asker([]Asked{{Question: []byte(`1`), Answer: []byte(`true`)}}, first.Finish().Ask.Calls)
	if err := s.Random(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if out := s.Finish(); out.Diverged == "" {
		t.Error("random in place of the clock went unnoticed")
	}
}

// TestWhatVariesIsToldAgain: clock and randomness before the question are the
// same in the attempt with the answer, and go on from there.
func TestWhatVariesIsToldAgain(t *testing.T) {
	observe := func(s *Set) (now []int64, random []byte) {
		for range 3 {
			now = append(now, s.Now())
		}
		random = make([]byte, 40)
		if err := s.Random(random[:20]); err != nil {
			t.Fatal(err)
		}
		s.SeedRandom(random[20:])
		return now, random
	}
	first := asker(nil, nil)
	now, random := observe(first)
	_, _ = first.Interrupt([]byte(`1`))
	calls := first.Finish().Ask.Calls
	second := asker([]Asked{{Question: []byte(`1`), Answer: []byte(`2`)}}, calls)
	again, randomAgain := observe(second)
	if !bytes.Equal(random, randomAgain) || now[0] != again[0] || now[2] != again[2] {
		t.Errorf("told %v %x, then %v %x", now, random, again, randomAgain)
	}
	if _, err := second.Interrupt([]byte(`1`)); err != nil {
		t.Fatal(err)
	}
	live, liveRandom := observe(second)
	if live[0] < again[2] || bytes.Equal(liveRandom, random) {
		t.Errorf("after the question: %v %x", live, liveRandom)
	}
	_, _ = second.Interrupt([]byte(`2`))
	if out := second.Finish(); out.Diverged != "" || len(out.Ask.Calls) != 2*len(calls) {
		t.Errorf("diverged %q, %d bytes of calls, want %d", out.Diverged, len(out.Ask.Calls), 2*len(calls))
	}
}

func TestTapeIsBounded(t *testing.T) {
	s := asker(nil, nil)
	b := make([]byte, 64<<10)
	for range maxTape/len(b) + 1 {
		if err := s.Random(b); err != nil {
			t.Fatal(err)
		}
	}
	if out := s.Finish(); out.Limit == nil || out.Limit.Limit != "calls" {
		t.Errorf("limit %+v", out.Limit)
	}
}

func FuzzTape(f *testing.F) {
	f.Add([]byte{1, 8, 0, 0, 0, 0, 0, 0, 0, 0}, byte(1), 8)
	f.Add([]byte{2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, byte(2), 3)
	f.Fuzz(func(t *testing.T, past []byte, kind byte, n int) {
		tp := newTape(past)
		b := make([]byte, max(n, 0)%100)
		for range 10 {
			if told, _ := tp.again(kind, b); !told {
				break
			}
		}
	})
}

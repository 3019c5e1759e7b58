package capability

import (
	"context"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"time"

	"github.com/dashhost/dashhost/abi"
)

// Now gives microseconds since 1970. With the clock grant it is the real time and never goes back during
// an attempt. Without, and in the start phase, it is virtual: it moves on by one at each reading and by
// the length of each sleep, so that a guest which waits for time to pass does not spin.
func (s *Set) Now() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.realTime() {
		return s.real()
	}
	now := s.virtual
	s.advance(1)
	return now
}

// real reads the real clock. The caller holds mu.
func (s *Set) real() int64 {
	var us int64
	read := func() {
		now := s.cfg.Clock.Now()
		if s.began.IsZero() {
			s.began = now
		}
		us = s.began.UnixMicro() + now.Sub(s.began).Microseconds()
	}
	if !s.taped() {
		read()
		return us
	}
	var b [8]byte
	s.record(tapeClock, b[:], func() {
		read()
		binary.LittleEndian.PutUint64(b[:], uint64(us))
	})
	return int64(binary.LittleEndian.Uint64(b[:]))
}

func (s *Set) realTime() bool { return s.phase == abi.PhaseRun && s.cfg.Node.Grants.Clock }

// advance moves the virtual clock. The caller holds mu.
func (s *Set) advance(us int64) {
	if s.virtual > math.MaxInt64-us {
		s.virtual = math.MaxInt64
		return
	}
	s.virtual += us
}

// Sleep returns after us microseconds: at once in virtual time, which moves on by that much. In real time
// it ends early, with an error, when ctx ends or the attempt's deadline has come.
func (s *Set) Sleep(ctx context.Context, us int64) error {
	us = max(us, 0)
	if !s.realTime() {
		return s.keep(func() error {
			s.advance(us)
			return nil
		})
	}
	if s.closed.Load() {
		return ErrClosed
	}
	if s.toldAgain() {
		return nil // the sleep was slept before the question
	}
	if d := s.cfg.Deadline; !d.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, d)
		defer cancel()
	}
	d := time.Duration(min(us, math.MaxInt64/int64(time.Microsecond))) * time.Microsecond
	if s.cfg.Clock.Sleep(ctx, d) != nil {
		return context.Cause(ctx)
	}
	return nil
}

// machine is the machine's clock.
type machine struct{}

func (machine) Now() time.Time { return time.Now() }

func (machine) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func unforeseeable(b []byte) { crand.Read(b) } // never fails: without a source the process ends

// toldAgain tells whether an attempt with an answer is still before its question.
func (s *Set) toldAgain() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tape.replaying()
}

// Random fills b for the function random: in dash_run with bytes nobody can foresee, and abi.Denied
// without the random grant; in the start phase with the stream that SeedRandom reads.
func (s *Set) Random(b []byte) error {
	if s.closed.Load() {
		return ErrClosed
	}
	if s.phase == abi.PhaseRun && !s.cfg.Node.Grants.Random {
		return s.refuse(abi.FnRandom, s.phase)
	}
	s.SeedRandom(b)
	return nil
}

// SeedRandom fills b for WASI. With the random grant, in dash_run, nobody can foresee the bytes. Without,
// they are a stream that depends on the task only, and in the start phase on the module only: it repeats
// and is no secret.
func (s *Set) SeedRandom(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == abi.PhaseRun && s.cfg.Node.Grants.Random {
		live := func() { s.cfg.Random(b) }
		if s.taped() {
			s.record(tapeRandom, b, live)
		} else {
			live()
		}
		return
	}
	if s.stream == nil {
		s.stream = rand.NewChaCha8(s.seed())
	}
	s.stream.Read(b) // never fails
}

// seed gives what the stream of SeedRandom depends on. The caller holds mu.
func (s *Set) seed() [sha256.Size]byte {
	if s.phase == abi.PhaseStart {
		return sha256.Sum256([]byte(s.digest))
	}
	return sha256.Sum256(s.cfg.Task[:])
}

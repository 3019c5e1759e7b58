package capability

import (
	"context"
	crand "crypto/rand"
	"crypto/sha256"
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
		now := time.Now()
		if s.began.IsZero() {
			s.began = now
		}
		return s.began.UnixMicro() + now.Sub(s.began).Microseconds()
	}
	now := s.virtual
	s.advance(1)
	return now
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
	if d := s.cfg.Deadline; !d.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, d)
		defer cancel()
	}
	t := time.NewTimer(time.Duration(min(us, math.MaxInt64/int64(time.Microsecond))) * time.Microsecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
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
	if s.phase == abi.PhaseRun && s.cfg.Node.Grants.Random {
		crand.Read(b) // never fails: without a source the process ends
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
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

package capability

import (
	"bytes"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/internal/rawjson"
)

// Asked is a question that an earlier attempt of the task asked, with the answer it got.
type Asked struct{ Question, Answer []byte }

// Ask is a question without an answer: the attempt ends with it.
type Ask struct {
	Question []byte // checked JSON
	// Calls is what the node was told by the clock and by random up to here, for Config.Calls of the attempt
	// that gets the answer.
	Calls []byte
}

// Interrupt asks a question. The nth question of the task gives the length of the nth answer, or
// abi.Pending if there is none yet; the attempt has then to end, and no further effect is accepted. Its
// other errors are ErrClosed, abi.Invalid for a question that is not JSON, abi.Limited, and abi.Conflict
// for a question that is not the one an earlier attempt asked at this place.
func (s *Set) Interrupt(question []byte) (answerLen int, err error) {
	if err := rawjson.ValidUntil(question, s.stop(len(question))); err != nil {
		return 0, abi.Errorf(abi.Invalid, "interrupt: %v", err)
	}
	err = s.keep(func() error {
		if s.out.Ask != nil {
			return abi.Errorf(abi.Pending, "interrupt: an earlier question waits for its answer: return 2 from %s", abi.ExportRun)
		}
		n := s.asked
		if n < len(s.cfg.Asked) {
			past := &s.cfg.Asked[n]
			if !bytes.Equal(past.Question, question) {
				return s.diverge("question %d is %.80q, it was %.80q when it was answered", n, question, past.Question)
			}
			s.asked++
			answerLen = len(past.Answer)
			return nil
		}
		if err := s.room(abi.EffectInterrupt); err != nil {
			return err
		}
		s.effects[abi.EffectInterrupt]++
		s.out.Ask = &Ask{Question: bytes.Clone(question), Calls: s.tape.all()}
		return abi.Errorf(abi.Pending, "interrupt: no answer yet")
	})
	return answerLen, err
}

// Answer gives the answer to the question asked last, abi.NotFound before the first.
func (s *Set) Answer() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return nil, ErrClosed
	}
	if s.asked == 0 {
		return nil, abi.Errorf(abi.NotFound, "answer_read: no question has been answered in this call")
	}
	return s.cfg.Asked[s.asked-1].Answer, nil
}

// diverge notes that the node does not repeat what it did before. The caller holds mu.
func (s *Set) diverge(format string, a ...any) error {
	err := abi.Errorf(abi.Conflict, "divergence: "+format, a...)
	if s.out.Diverged == "" {
		s.out.Diverged = err.Text
	}
	return err
}

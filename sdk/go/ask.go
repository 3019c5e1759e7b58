package dash

import (
	"encoding/json"
	"fmt"
)

// Ask asks a person and decodes what they answered into answer, a pointer; a nil
// answer is not looked at. Both are JSON; json.RawMessage goes unchanged.
//
// The first time there is no answer: the error is Pending, and the node returns it,
// having done nothing else. The task then ends as interrupted, whatever the node
// returns, and its output is not written. When somebody has answered, the task runs
// again from its beginning and Ask gives the answer:
//
//	var ok bool
//	if err := c.Ask("deploy "+in.Version+"?", &ok); err != nil {
//		return Out{}, err
//	}
//
// A task may ask several times. Each attempt must ask the same questions in the same
// order; what a question is made of must so come from the input, earlier answers, or
// the host's clock and random, which repeat what they said. An answer that does not
// fit is a *Failure with the code bad_answer, never retried. Without interrupts: true
// on the node the error is Denied.
func (c *Call) Ask(question, answer any) error {
	q, err := encode(question)
	if err != nil {
		return fmt.Errorf("interrupt: question: %w", err)
	}
	n := c.host.Interrupt(q)
	if Errno(-n) == Pending {
		c.pending = true
	}
	if err := c.check("interrupt", n); err != nil {
		return err
	}
	b, err := c.value("answer_read", c.host.AnswerRead, int(n))
	if err != nil || answer == nil {
		return err
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return Fatal("bad_answer", "answer: "+err.Error())
	}
	return nil
}

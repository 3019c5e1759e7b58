package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host/workflow"
	"github.com/dashhost/dashhost/internal/rawjson"
)

// Kinds of questions.
const (
	AskBefore = "before" // the manifest interrupts before a node
	AskAfter  = "after"  // the manifest interrupts after a node
	AskInside = "inside" // a node asks
)

// Question is what somebody must answer before a task goes on.
type Question struct {
	ID      string `json:"id"` // 32 hex digits, the same after a crash
	Kind    string `json:"kind"`
	Node    string `json:"node"`
	Path    string `json:"path,omitempty"`
	N       int    `json:"n"`                 // which question of its task, from 0
	If      string `json:"if,omitempty"`      // condition of the manifest that holds
	Channel string `json:"channel,omitempty"` // that the answer is written to
	Text    []byte `json:"-"`                 // JSON, of a node that asks
	Answer  []byte `json:"-"`                 // JSON, nil while it is open

	task  TaskID
	calls []byte // what the node saw before it asked
}

// InterruptMeta is the Meta of interrupt records. Parts are the text and the
// recorded calls of a node that asks.
type InterruptMeta struct {
	Branch string `json:"branch"`
	Step   int    `json:"step"`
	Question
}

// AnswerMeta is the Meta of answer records. Parts[0] is the answer.
type AnswerMeta struct {
	Branch string `json:"branch"`
	Step   int    `json:"step"`
	ID     string `json:"id"`
	Node   string `json:"node"`
	Path   string `json:"path,omitempty"`
}

// Asked is a question of a task that has its answer.
type Asked struct{ Question, Answer []byte }

// Ask is a question that a node ends its attempt with.
type Ask struct {
	Question []byte // JSON
	Calls    []byte // what the attempt saw, opaque to the engine; Task.Calls gives it back
}

// Identities of what may be wrong with an answer.
var (
	ErrNoQuestion = errors.New("no such question is open")
	ErrAnswered   = errors.New("the question has been answered")
	ErrAmbiguous  = errors.New("more than one question is open: answer by id")
)

// questionID is the identity of the nth question of a task.
func questionID(task TaskID, n int) string {
	id := newTaskID(task.String(), "", "", n, "question", "")
	return id.String()
}

// Questions returns what is asked and not answered, in the order of the log.
// Call it when Loop is not running.
func (r *Run) Questions() []*Question {
	var open []*Question
	for _, q := range r.questions {
		if q.Answer == nil {
			open = append(open, q)
		}
	}
	return open
}

// readQuestion takes up an interrupt record of the step to come.
func (r *Run) readQuestion(rec *checkpoint.Record) error {
	m, err := DecodeInterrupt(rec)
	if err != nil {
		return err
	}
	if m.Branch != r.branch || m.Step != r.step+1 {
		return nil
	}
	raw, err := hex.DecodeString(rec.Task)
	if err != nil || len(raw) != len(TaskID{}) {
		return fmt.Errorf("thread %s: record %d: task id %q is not 32 hex digits", rec.Thread, rec.Seq, rec.Task)
	}
	q := m.Question
	q.task = TaskID(raw)
	if len(rec.Parts) == 2 {
		q.Text, q.calls = rec.Parts[0], rec.Parts[1]
	}
	r.questions = append(r.questions, &q)
	return nil
}

// readAnswer takes up an answer record of the step to come.
func (r *Run) readAnswer(rec *checkpoint.Record) error {
	m, err := DecodeAnswer(rec)
	if err != nil {
		return err
	}
	if m.Branch != r.branch || m.Step != r.step+1 {
		return nil
	}
	value, err := part(rec, 1)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(r.questions, func(q *Question) bool { return q.ID == m.ID })
	if i < 0 {
		return fmt.Errorf("thread %s: record %d: answers question %s, which was not asked", rec.Thread, rec.Seq, m.ID)
	}
	if bad := r.settle(r.questions[i], value); bad != nil {
		return fmt.Errorf("thread %s: record %d: stored answer: %w", rec.Thread, rec.Seq, bad)
	}
	return nil
}

// Answer records the answer to an open question; id may be "" if only one is
// open. It is called between Resume and Loop and returns when the answer is
// durable. Errors: ErrNoQuestion, ErrAnswered, ErrAmbiguous, an *Error for a
// value that does not fit, and those of the store.
func (r *Run) Answer(ctx context.Context, id string, value []byte) error {
	q, err := r.findQuestion(id)
	if err != nil {
		return err
	}
	if err := rawjson.Valid(value); err != nil {
		return fail(CodeOutput, "answer to %s: %v", q.ID, err)
	}
	if bad := r.settle(q, value); bad != nil {
		return bad
	}
	m := &AnswerMeta{Branch: r.branch, Step: r.step + 1, ID: q.ID, Node: q.Node, Path: q.Path}
	rec := &checkpoint.Record{
		Kind: checkpoint.KindAnswer, Namespace: r.cfg.Namespace, Task: q.task.String(), Meta: mustJSON(m), Parts: [][]byte{value}, Events: 1,
	}
	commit, err := r.log.append(ctx, rec)
	if err != nil {
		return err
	}
	r.note(rec, m.events())
	if err := commit.wait(ctx); err != nil {
		return err
	}
	r.flush()
	return nil
}

func (r *Run) findQuestion(id string) (*Question, error) {
	open := r.Questions()
	if id == "" {
		switch len(open) {
		case 0:
			return nil, ErrNoQuestion
		case 1:
			return open[0], nil
		}
		return nil, ErrAmbiguous
	}
	for _, q := range r.questions {
		if q.ID != id {
			continue
		}
		if q.Answer != nil {
			return nil, fmt.Errorf("question %s: %w", id, ErrAnswered)
		}
		return q, nil
	}
	return nil, fmt.Errorf("question %s: %w", id, ErrNoQuestion)
}

// settle gives a question its answer. That of the manifest's question is a
// write to its channel; it becomes part of the next step record, and tasks of
// the present step that have not run yet see it.
func (r *Run) settle(q *Question, value []byte) *Error {
	if q.Channel != "" {
		ch := r.graph.Channel(q.Channel)
		if ch == nil {
			return fail(CodeOutput, "the graph has no channel %q for the answer", q.Channel)
		}
		w := Write{Channel: ch, Value: value}
		if bad := checkWrite(w, "the answer"); bad != nil {
			return bad
		}
		red := &reduction{}
		if bad := red.channel(r.state, ch, []written{{w, "the answer"}}); bad != nil {
			return bad
		}
		r.state.apply(red.ops)
		r.answered = append(r.answered, red.ops...)
	}
	q.Answer = value
	return nil
}

// interrupts looks at the questions of the manifest for the tasks of the coming
// step, marks the tasks that must wait for an answer, and records questions
// that were not asked yet.
func (r *Run) interrupts(ctx context.Context, tasks []*taskRun) *Error {
	for i, it := range r.graph.Interrupts {
		if slices.Contains(r.after, i) {
			if err := r.ask(ctx, it, i, AskAfter, "", tasks); err != nil {
				return err
			}
		}
		for _, name := range it.Before {
			of := tasksOf(tasks, name)
			if len(of) == 0 {
				continue
			}
			if err := r.ask(ctx, it, i, AskBefore, name, of); err != nil {
				return err
			}
		}
	}
	for _, t := range tasks {
		r.askedInside(t)
	}
	return nil
}

func tasksOf(tasks []*taskRun, node string) []*taskRun {
	var of []*taskRun
	for _, t := range tasks {
		if t.task.Node.Name == node && !t.finished {
			of = append(of, t)
		}
	}
	return of
}

// ask holds tasks back while a question of the manifest is open.
func (r *Run) ask(ctx context.Context, it *workflow.Interrupt, index int, kind, node string, tasks []*taskRun) *Error {
	id := newTaskID(r.log.thread, r.cfg.Namespace, r.branch, r.step+1, node, "interrupt/"+strconv.Itoa(index))
	n := 0
	var last *Question
	for _, q := range r.questions {
		if q.task == id {
			n, last = q.N+1, q
		}
	}
	if last != nil && last.Answer == nil {
		hold(tasks)
		return nil
	}
	open := n == 0
	source := ""
	if it.If != nil {
		source = it.If.Source
		yes, err := it.If.Eval(r.state.get)
		if err != nil {
			e := fail(CodeCondition, "interrupt %s %s: condition %q: %v", kind, node, source, err)
			e.Node = node
			return e
		}
		open = yes
	}
	if !open {
		return nil
	}
	q := &Question{ID: questionID(id, n), Kind: kind, Node: node, N: n, If: source, Channel: it.Answer, task: id}
	r.questions = append(r.questions, q)
	r.recordQuestion(ctx, q, nil)
	hold(tasks)
	return nil
}

func hold(tasks []*taskRun) {
	for _, t := range tasks {
		t.held = !t.finished
	}
}

func (r *Run) recordQuestion(ctx context.Context, q *Question, parts [][]byte) {
	m := &InterruptMeta{Branch: r.branch, Step: r.step + 1, Question: *q}
	rec := &checkpoint.Record{
		Kind: checkpoint.KindInterrupt, Namespace: r.cfg.Namespace, Task: q.task.String(), Meta: mustJSON(m), Parts: parts, Events: 1,
	}
	commit, err := r.log.append(context.WithoutCancel(ctx), rec)
	if err != nil {
		return // the release that follows meets the same error and reports it
	}
	r.note(rec, m.events())
	r.syncSoon(commit, rec)
}

// askedInside gives a task the answers to what it asked, and holds it back
// while one is missing.
func (r *Run) askedInside(t *taskRun) {
	if t.finished {
		return
	}
	for _, q := range r.questions {
		if q.task != t.task.ID || q.Kind != AskInside {
			continue
		}
		t.task.Asked = append(t.task.Asked, Asked{Question: q.Text, Answer: q.Answer})
		t.task.Calls = q.calls
		t.held = t.held || q.Answer == nil
	}
}

// asks records that an attempt ended with a question.
func (r *Run) asks(ctx context.Context, t *taskRun, a *Ask) {
	n := len(t.task.Asked)
	q := &Question{
		ID: questionID(t.task.ID, n), Kind: AskInside, Node: t.task.Node.Name, Path: t.task.Path, N: n,
		Text: a.Question, calls: a.Calls, task: t.task.ID,
	}
	r.mu.Lock()
	r.questions = append(r.questions, q)
	r.mu.Unlock()
	r.recordQuestion(ctx, q, [][]byte{a.Question, a.Calls})
}

// afterInterrupts lists the manifest's questions that follow from nodes that
// ended in a step.
func afterInterrupts(g *workflow.Graph, ended []string) []int {
	var out []int
	for i, it := range g.Interrupts {
		if slices.ContainsFunc(it.After, func(n string) bool { return slices.Contains(ended, n) }) {
			out = append(out, i)
		}
	}
	return out
}

func (m *InterruptMeta) events() []Event {
	return []Event{{Type: EventInterrupt, Run: m.Branch, Step: m.Step, Node: m.Node, Path: m.Path, Question: m.ID}}
}

func (m *AnswerMeta) events() []Event {
	return []Event{{Type: EventAnswer, Run: m.Branch, Step: m.Step, Node: m.Node, Path: m.Path, Question: m.ID}}
}

// DecodeInterrupt reads the Meta of an interrupt record; the text of a node's
// question is Parts[0].
func DecodeInterrupt(r *checkpoint.Record) (*InterruptMeta, error) {
	return decodeMeta[InterruptMeta](r)
}

// DecodeAnswer reads the Meta of an answer record.
func DecodeAnswer(r *checkpoint.Record) (*AnswerMeta, error) { return decodeMeta[AnswerMeta](r) }

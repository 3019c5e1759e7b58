package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dashhost/dashhost/host"
)

const (
	// slow is how long work may take before a terminal shows that it goes on.
	slow = time.Second
	// maxRetryLines is how many retries of one step are told one by one.
	maxRetryLines = 3
)

// compiling shows which modules are being compiled, once that takes longer than a moment.
type compiling struct {
	talk *talk

	mu    sync.Mutex
	names []string // in the order in which they began
	begun *time.Timer
	shown bool
}

// progress is host.LoadOptions.Progress.
func (c *compiling) progress(module string, done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.begun == nil {
		c.begun = time.AfterFunc(slow, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.shown = true
			c.draw()
		})
	}
	if done {
		c.names = slices.DeleteFunc(c.names, func(n string) bool { return n == module })
	} else {
		c.names = append(c.names, module)
	}
	c.draw()
}

func (c *compiling) draw() {
	switch {
	case !c.shown:
	case len(c.names) == 0:
		c.talk.clear()
	default:
		c.talk.progressf("compiling %s", strings.Join(c.names, ", "))
	}
}

// end takes the progress away, however far it came.
func (c *compiling) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.begun != nil {
		c.begun.Stop()
	}
	c.names = nil
	c.draw()
}

// steps tells a run's events as a line for each step. Events come when their record is durable: those of a step's tasks,
// then its checkpoint.
type steps struct {
	talk    *talk
	nodes   []string       // with tasks that ended in the step in progress, in that order
	tasks   map[string]int // how many
	due     int            // tasks of the step in progress
	retries int
	began   time.Time // when the step in progress began
	shown   time.Time // when progress was last drawn
}

// event takes the next event of the run.
func (s *steps) event(e *host.Event) {
	switch e.Type {
	case host.EventNodeEnd, host.EventNodeError:
		s.end(e)
	case host.EventNodeRetry:
		s.retry(e)
	case host.EventStep:
		s.line(e)
	}
}

func (s *steps) end(e *host.Event) {
	if s.tasks == nil {
		s.tasks = make(map[string]int)
	}
	if s.tasks[e.Node]++; s.tasks[e.Node] == 1 {
		s.nodes = append(s.nodes, e.Node)
	}
	now := e.Time
	if s.began.IsZero() || now.Sub(s.began) < slow || now.Sub(s.shown) < slow/5 {
		return
	}
	s.shown = now
	s.talk.progressf("step %-4d %s, of %d", e.Step, s.summary(), s.due)
}

func (s *steps) retry(e *host.Event) {
	s.retries++
	if s.retries > maxRetryLines {
		return
	}
	why := ""
	if e.Err != nil {
		why = ": " + e.Err.Code + ": " + short(visible(e.Err.Message), 100)
	}
	s.talk.linef("retry     %s after attempt %d%s", taskName(e.Node, e.Path), e.Attempt, why)
}

// line tells a recorded step and begins the next.
func (s *steps) line(e *host.Event) {
	what := s.summary()
	if s.retries > 0 {
		what += fmt.Sprintf(", retries: %d", s.retries)
	}
	s.talk.linef("step %-4d %-44s %8s  %s", e.Step, what, durationText(e.Duration), s.talk.paint(dim, e.Checkpoint))
	*s = steps{talk: s.talk, due: e.Tasks, began: e.Time}
}

// summary is "split, secrets x101".
func (s *steps) summary() string {
	var words []string
	for _, n := range s.nodes {
		words = append(words, timesText(n, s.tasks[n]))
	}
	return strings.Join(words, ", ")
}

// timesText is "split" or, for several, "secrets x101".
func timesText(name string, n int) string {
	if n == 1 {
		return name
	}
	return fmt.Sprintf("%s x%d", name, n)
}

func taskName(node, path string) string {
	if path == "" {
		return node
	}
	return node + "[" + path + "]"
}

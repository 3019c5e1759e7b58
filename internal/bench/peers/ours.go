package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/filestore"
)

// ours is a store of checkpoints.
type ours struct {
	s *checkpoint.Store

	mu     sync.Mutex
	claims map[int]*checkpoint.Claim
}

func openOurs(dir string) (keeper, error) {
	d, err := filestore.Open(dir, nil)
	if err != nil {
		return nil, err
	}
	return &ours{s: checkpoint.New(d, nil), claims: map[int]*checkpoint.Claim{}}, nil
}

func name(thread int) string { return fmt.Sprintf("thread-%06d", thread) }

func (o *ours) claim(thread int) (*checkpoint.Claim, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c := o.claims[thread]; c != nil {
		return c, nil
	}
	c, err := o.s.Claim(context.Background(), name(thread), nil)
	if err == nil {
		o.claims[thread] = c
	}
	return c, err
}

// step is a checkpoint that replaces an entry of the state.
func step(body []byte) *checkpoint.Record {
	return &checkpoint.Record{Kind: checkpoint.KindStep, Ops: []checkpoint.Op{{Kind: checkpoint.OpPut, Name: "x", Value: body}}}
}

func (o *ours) append(thread int, body []byte) error {
	c, err := o.claim(thread)
	if err != nil {
		return err
	}
	m, err := c.Append(context.Background(), step(body))
	if err != nil {
		return err
	}
	return m.Wait(context.Background())
}

func (o *ours) load(threads, each int, body []byte) error {
	ctx := context.Background()
	for t := range threads {
		c, err := o.s.Claim(ctx, name(t), nil)
		if err != nil {
			return err
		}
		for range each {
			if _, err := c.Append(ctx, step(body)); err != nil {
				return err
			}
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	return nil // closing makes it durable
}

func (o *ours) latest(thread int) error {
	_, st, err := o.s.State(context.Background(), name(thread), "", "")
	if err == nil && st.Len() != 1 {
		err = fmt.Errorf("thread %d has %d entries", thread, st.Len())
	}
	return err
}

func (o *ours) close() error { return o.s.Close() }
